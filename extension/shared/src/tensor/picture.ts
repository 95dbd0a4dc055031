/** Paints a plane of a tensor, piece by piece as the elements come. */

import { colour, NAN, share, type Colour, type Scale } from "./colours";
import { extent, pictureDims, rowsOf, type Channels, type Element, type Plane } from "./layout";
import type { TensorModel } from "./model";

/** Pixels of a side at most; of larger tensors, every so many-th element is shown. */
export const SIDE = 256;

export interface Picture {
  width: number;
  height: number;
  /** How many elements of the tensor lie between two that are shown. */
  every: number;
  image: ImageData;
  /** What the pixels show: one element each, or one of each channel. */
  elements: (Element | readonly Element[])[];
  /** How many rows are there already. */
  rows: number;
}

export interface Painting {
  /** How channels lie; undefined for a heat map of the plane. */
  channels: Channels | undefined;
  scale: Scale;
}

/** Paint; `onPiece` is called after each piece. Stops where the model looks at something else. */
export async function paint(
  model: TensorModel,
  { channels, scale }: Painting,
  onPiece: (picture: Picture) => void,
): Promise<void> {
  const { shape, version } = model;
  const plane = channels === undefined ? model.plane : picturePlane(model, channels);
  const [high, wide] = [extent(shape, plane.rows), extent(shape, plane.columns)];
  const every = Math.max(1, Math.ceil(Math.max(high, wide) / SIDE));
  const [height, width] = [Math.ceil(high / every), Math.ceil(wide / every)];
  if (height === 0 || width === 0) return;
  const image = new ImageData(width, height);
  const picture: Picture = { width, height, every, image, elements: [], rows: 0 };
  const depth = plane.whole === undefined ? 1 : extent(shape, plane.whole);
  const rows = { begin: 0, end: high, step: every };
  const pieces = model.sampled(plane, rows, { begin: 0, end: wide, step: every }, depth);
  for await (const values of pieces) {
    if (model.version !== version) return;
    const found =
      plane.whole === undefined ? rowsOf(plane, values) : channelled(values, channels === "CHW");
    for (const row of found) {
      for (const element of row) {
        picture.image.data.set([...shown(element, scale), 255], 4 * picture.elements.length);
        picture.elements.push(element);
      }
    }
    picture.rows = Math.floor(picture.elements.length / width);
    onPiece(picture);
  }
}

function picturePlane({ shape, plane }: TensorModel, channels: Channels): Plane {
  const { rows, columns, channel } = pictureDims(shape.length, channels);
  return { rows, columns, whole: channel, at: plane.at };
}

/** Rows of pixels, from nested lists in the order of the dimensions. */
function channelled(values: unknown, first: boolean): Element[][][] {
  if (!first) return values as Element[][][];
  const planes = values as Element[][][];
  return (planes[0] ?? []).map((row, y) => row.map((_, x) => planes.map((plane) => plane[y]?.[x] ?? null)));
}

function shown(element: Element | readonly Element[], scale: Scale): Colour {
  if (!Array.isArray(element)) return colour(element, scale);
  const found = (element as Element[]).map((value) => bright(value, scale));
  const [red, green = red, blue = red] = found.length === 2 ? found.slice(0, 1) : found;
  if (red === undefined || green === undefined || blue === undefined) return NAN;
  return [red, green, blue];
}

function bright(value: Element, { low, high }: Scale): number | undefined {
  const number = typeof value === "boolean" ? Number(value) : value;
  return typeof number === "number" ? Math.round(255 * share(number, low, high)) : undefined;
}

/** The range that is black to white: 0 to 255, 0 to 1, or what there is. */
export function brightnessOf(dtype: string, low: number, high: number): Scale {
  if (dtype === "uint8") return { low: 0, high: 255, diverging: false };
  if (low >= 0 && high <= 1) return { low: 0, high: 1, diverging: false };
  return { low, high, diverging: false };
}
