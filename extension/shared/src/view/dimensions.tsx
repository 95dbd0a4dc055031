/** Which dimensions of a tensor are seen, and at which index each of the others stands. */

import type { JSX } from "preact";

import { planeSlice } from "../tensor/layout";
import type { TensorModel } from "../tensor/model";

interface DimensionsProps {
  model: TensorModel;
  /** Dimensions that a picture takes, instead of those of the plane. */
  taken: { rows: number; columns: number; channel: number | undefined } | undefined;
}

export function Dimensions({ model, taken }: DimensionsProps): JSX.Element | null {
  const { shape, plane } = model;
  if (shape.length < 2) return null;
  const seen = taken === undefined ? [plane.rows, plane.columns] : [taken.rows, taken.columns, taken.channel];
  const turn = (dim: number, index: number): void => {
    if (Number.isInteger(index)) model.turn({ ...plane, at: plane.at.with(dim, index) });
  };
  const choose = (axis: "rows" | "columns", dim: number): void => {
    const other = axis === "rows" ? "columns" : "rows";
    const swapped = plane[other] === dim ? { [other]: plane[axis] } : {};
    model.turn({ ...plane, ...swapped, [axis]: dim });
  };
  return (
    <div class="bar dimensions" role="group" aria-label="Dimensions">
      {taken === undefined && shape.length > 2 && (
        <>
          <Axis name="Down" value={plane.rows} shape={shape} onChoose={(dim) => choose("rows", dim)} />
          <Axis name="Across" value={plane.columns} shape={shape} onChoose={(dim) => choose("columns", dim)} />
        </>
      )}
      {taken === undefined && shape.length === 2 && (
        <button type="button" class="button" onClick={() => model.turn({ ...plane, rows: plane.columns, columns: plane.rows })}>
          Transpose
        </button>
      )}
      {shape.map((size, dim) =>
        seen.includes(dim) ? null : (
          <label key={dim} class="dimension">
            dim {dim}
            <input
              type="range"
              min={0}
              max={Math.max(0, size - 1)}
              value={plane.at[dim] ?? 0}
              aria-label={`Index in dimension ${dim}`}
              onInput={(event) => turn(dim, event.currentTarget.valueAsNumber)}
            />
            <input
              type="number"
              min={0}
              max={Math.max(0, size - 1)}
              value={plane.at[dim] ?? 0}
              aria-label={`Index in dimension ${dim}, of ${size}`}
              onInput={(event) => turn(dim, event.currentTarget.valueAsNumber)}
            />
            <span class="muted">of {size}</span>
          </label>
        ),
      )}
      <span class="grow" />
      {taken === undefined && <span class="code muted">[{planeSlice(plane)}]</span>}
    </div>
  );
}

interface AxisProps {
  name: string;
  value: number | undefined;
  shape: readonly number[];
  onChoose: (dim: number) => void;
}

function Axis({ name, value, shape, onChoose }: AxisProps): JSX.Element {
  return (
    <label>
      {name}{" "}
      <select value={value} onChange={(event) => onChoose(Number(event.currentTarget.value))}>
        {shape.map((size, dim) => (
          <option value={dim} key={dim}>
            dim {dim} ({size})
          </option>
        ))}
      </select>
    </label>
  );
}
