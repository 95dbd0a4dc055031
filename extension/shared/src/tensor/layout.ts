/** How a tensor of any rank lies in a table: which dimensions run down and across, where the others stand. */

/** Two dimensions are seen at once; each of the others stands at one index. */
export interface Plane {
  /** The dimension that runs down; undefined for one row. */
  rows: number | undefined;
  /** The dimension that runs across; undefined for one column. */
  columns: number | undefined;
  /** The index of each dimension; those of the two above don't count. */
  at: readonly number[];
  /** A third dimension, of which everything is wanted, as of a picture's channels. */
  whole?: number | undefined;
}

/** The last two dimensions; all others at 0. A vector runs down. */
export function planeOf(shape: readonly number[]): Plane {
  const rank = shape.length;
  return {
    rows: rank === 0 ? undefined : Math.max(0, rank - 2),
    columns: rank < 2 ? undefined : rank - 1,
    at: shape.map(() => 0),
  };
}

/** The same plane of a tensor of another shape, as far as that has it. */
export function fitted(plane: Plane, shape: readonly number[]): Plane {
  if (plane.at.length !== shape.length) return planeOf(shape);
  const inside = (index: number, dim: number): number =>
    Math.max(0, Math.min(index, (shape[dim] ?? 1) - 1));
  return { ...plane, at: plane.at.map(inside) };
}

export function extent(shape: readonly number[], dim: number | undefined): number {
  return dim === undefined ? 1 : (shape[dim] ?? 1);
}

/** From a first index up to, not including, an end; every `step`-th. */
export interface Range {
  begin: number;
  end: number;
  step?: number;
}

/** What stands between the brackets for a part of the plane. */
export function sliceOf(plane: Plane, rows: Range, columns: Range): string {
  return plane.at
    .map((index, dim) => {
      if (dim === plane.whole) return ":";
      if (dim === plane.rows) return spelled(rows);
      return dim === plane.columns ? spelled(columns) : String(index);
    })
    .join(", ");
}

/** What stands between the brackets for the whole plane. */
export function planeSlice({ rows, columns, at }: Plane): string {
  return at.map((index, dim) => (dim === rows || dim === columns ? ":" : String(index))).join(", ");
}

function spelled({ begin, end, step = 1 }: Range): string {
  return step === 1 ? `${begin}:${end}` : `${begin}:${end}:${step}`;
}

/** An element, as `graphdebugTensor` sends it. */
export type Element = number | boolean | string | null;

/** The rows of a part of the plane, from the nested lists of an answer. */
export function rowsOf({ rows, columns }: Plane, values: unknown): Element[][] {
  if (rows === undefined) {
    return columns === undefined ? [[values as Element]] : [values as Element[]];
  }
  if (columns === undefined) return (values as Element[]).map((value) => [value]);
  const found = values as Element[][];
  if (rows < columns) return found;
  return (found[0] ?? []).map((_, column) => found.map((row) => row[column] ?? null));
}

/** How the channels of a picture lie. */
export type Channels = "CHW" | "HWC" | "HW";

const SMALLEST = 8;
const CHANNELS = [1, 3, 4];

/** The picture that a shape looks like, if it does: one, three or four channels, first or last. */
export function pictureOf(shape: readonly number[]): Channels | undefined {
  const [first = 0, second = 0, third = 0] = shape.slice(-3);
  if (shape.length < 3 || second < SMALLEST) return undefined;
  if (CHANNELS.includes(first) && third >= SMALLEST) return "CHW";
  if (CHANNELS.includes(third) && first >= SMALLEST) return "HWC";
  return undefined;
}

/** The dimensions of a picture: down, across, and of the channels. */
export function pictureDims(
  rank: number,
  channels: Channels,
): { rows: number; columns: number; channel: number | undefined } {
  if (channels === "CHW") return { rows: rank - 2, columns: rank - 1, channel: rank - 3 };
  if (channels === "HWC") return { rows: rank - 3, columns: rank - 2, channel: rank - 1 };
  return { rows: rank - 2, columns: rank - 1, channel: undefined };
}
