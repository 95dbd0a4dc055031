/** The elements of a tensor's plane: a table of any size, of which only what is in sight exists. */

import type { JSX } from "preact";
import { useCallback, useId, useRef, useState } from "preact/hooks";

import { number } from "../format";
import { colour, light, rgb, type Scale } from "../tensor/colours";
import type { TensorModel } from "../tensor/model";
import { useSize } from "./hooks";

const ROW = 22;
const COLUMN = 92;
const MARGIN = 64;
const LIMIT = 8_000_000;

interface GridProps {
  model: TensorModel;
  scale: Scale;
  precision: number;
  shaded: boolean;
}

interface Axis {
  first: number;
  begin: number;
  end: number;
  full: number;
  scale: number;
}

/** What of an axis is in sight. Axes longer than what can be scrolled scroll in larger steps. */
function axis(total: number, each: number, seen: number, scrolled: number): Axis {
  const full = Math.min(total * each, LIMIT);
  const many = seen / each;
  const scale = full > seen && total > many ? (total - many) / (full - seen) : 1 / each;
  const first = Math.max(0, Math.min(scrolled * scale, total - many));
  return { first, begin: Math.floor(first), end: Math.min(total, Math.ceil(first + many) + 1), full, scale };
}

export function Grid({ model, scale, precision, shaded }: GridProps): JSX.Element {
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(scroller);
  const [scrolled, setScrolled] = useState({ top: 0, left: 0 });
  const [cursor, setCursor] = useState({ row: 0, column: 0 });
  const { rows, columns } = model;
  const down = axis(rows, ROW, Math.max(0, height - ROW), scrolled.top);
  const across = axis(columns, COLUMN, Math.max(0, width - MARGIN), scrolled.left);

  const move = useCallback(
    (row: number, column: number) => {
      const there = {
        row: Math.max(0, Math.min(rows - 1, row)),
        column: Math.max(0, Math.min(columns - 1, column)),
      };
      setCursor(there);
      const element = scroller.current;
      if (element === null) return;
      const [many, wide] = [(height - ROW) / ROW, (width - MARGIN) / COLUMN];
      if (there.row < down.first) element.scrollTop = there.row / down.scale;
      else if (there.row > down.first + many - 1) element.scrollTop = (there.row - many + 1) / down.scale;
      if (there.column < across.first) element.scrollLeft = there.column / across.scale;
      else if (there.column > across.first + wide - 1) element.scrollLeft = (there.column - wide + 1) / across.scale;
    },
    [rows, columns, height, width, down.first, down.scale, across.first, across.scale],
  );

  const onKeyDown = (event: KeyboardEvent): void => {
    const { row, column } = cursor;
    const page = Math.max(1, Math.floor((height - ROW) / ROW));
    const moves: Record<string, [number, number]> = {
      ArrowDown: [row + 1, column],
      ArrowUp: [row - 1, column],
      ArrowRight: [row, column + 1],
      ArrowLeft: [row, column - 1],
      PageDown: [row + page, column],
      PageUp: [row - page, column],
      Home: event.ctrlKey ? [0, 0] : [row, 0],
      End: event.ctrlKey ? [rows - 1, columns - 1] : [row, columns - 1],
    };
    const there = moves[event.key];
    if (there === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    move(...there);
  };

  const cells: JSX.Element[] = [];
  const [top, left] = [scrolled.top - down.first * ROW, scrolled.left - across.first * COLUMN];
  for (let column = across.begin; column < across.end; column++) {
    cells.push(
      <div
        key={`c${column}`}
        role="columnheader"
        aria-colindex={column + 2}
        class="cell head"
        style={{ transform: `translate(${MARGIN + left + column * COLUMN}px, ${scrolled.top}px)`, width: `${COLUMN}px` }}
      >
        {column}
      </div>,
    );
  }
  for (let row = down.begin; row < down.end; row++) {
    const line: JSX.Element[] = [
      <div
        key="head"
        role="rowheader"
        class="cell head side"
        style={{ transform: `translate(${scrolled.left}px, ${ROW + top + row * ROW}px)`, width: `${MARGIN}px` }}
      >
        {row}
      </div>,
    ];
    for (let column = across.begin; column < across.end; column++) {
      const value = model.at(row, column);
      const here = row === cursor.row && column === cursor.column;
      line.push(
        <div
          key={column}
          id={here ? `${id}-here` : undefined}
          role="gridcell"
          aria-colindex={column + 2}
          aria-selected={here}
          class={`cell ${kind(value)}`}
          style={{
            transform: `translate(${MARGIN + left + column * COLUMN}px, ${ROW + top + row * ROW}px)`,
            width: `${COLUMN}px`,
            ...(shaded && typeof value === "number" ? shade(value, scale) : {}),
          }}
          title={value === undefined || value === null ? undefined : `[${row}, ${column}] = ${String(value)}`}
          onClick={() => move(row, column)}
        >
          {value === undefined || value === null ? "…" : number(value, precision)}
        </div>,
      );
    }
    cells.push(
      <div key={row} role="row" aria-rowindex={row + 2} class="cells">
        {line}
      </div>,
    );
  }
  return (
    <div
      class="matrix"
      role="grid"
      tabIndex={0}
      aria-label={`Elements of ${model.name}`}
      aria-rowcount={rows + 1}
      aria-colcount={columns + 1}
      aria-activedescendant={`${id}-here`}
      onKeyDown={onKeyDown}
      ref={scroller}
      onScroll={(event) => setScrolled({ top: event.currentTarget.scrollTop, left: event.currentTarget.scrollLeft })}
    >
      <div class="plane" role="presentation" style={{ width: `${MARGIN + across.full}px`, height: `${ROW + down.full}px` }}>
        {cells}
        <div class="cell head corner" style={{ transform: `translate(${scrolled.left}px, ${scrolled.top}px)`, width: `${MARGIN}px` }} />
      </div>
    </div>
  );
}

function kind(value: unknown): string {
  if (value === "nan") return "nan";
  return value === "inf" || value === "-inf" ? "inf" : "";
}

function shade(value: number, scale: Scale): Record<string, string> {
  const found = colour(value, scale);
  return { background: rgb(found), color: light(found) ? "#000" : "#fff" };
}
