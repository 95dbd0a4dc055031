/** A table of any length of which only the rows in sight exist. One row is chosen, by mouse or keyboard. */

import type { ComponentChildren, JSX } from "preact";
import { useCallback, useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";

import { useSize } from "./hooks";

export const ROW = 22;
/** Browsers can't scroll a higher element; longer lists scroll in larger steps. */
const HEIGHT_LIMIT = 8_000_000;
const BEYOND = 6;

export interface ListProps {
  label: string;
  total: number;
  /** Columns as CSS grid tracks, and their headings. */
  tracks: string;
  headings: readonly string[];
  /** The cells of a row; undefined while it isn't here. */
  row: (index: number) => { cells: ComponentChildren; label: string; class?: string } | undefined;
  chosen: number | undefined;
  onChoose: (index: number) => void;
  /** Enter, or a double click. */
  onOpen?: (index: number) => void;
  /** Whether the end is kept in sight as the list grows. */
  follow?: boolean;
  /** The user scrolled away from the end, or back to it. */
  onFollow?: (follow: boolean) => void;
}

export function List(props: ListProps): JSX.Element {
  const { label, total, tracks, headings, chosen, follow = false, onFollow } = props;
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const { height } = useSize(scroller);
  const [top, setTop] = useState(0);
  const expected = useRef(-1);

  const visible = Math.max(1, Math.floor(height / ROW));
  const full = Math.min(total * ROW, HEIGHT_LIMIT);
  const scale = full > height && total > visible ? (total - height / ROW) / (full - height) : 1 / ROW;
  const first = Math.min(top * scale, Math.max(0, total - height / ROW));
  const begin = Math.max(0, Math.floor(first) - BEYOND);
  const end = Math.min(total, Math.ceil(first + height / ROW) + BEYOND);

  const scrollTo = useCallback((pixels: number) => {
    const element = scroller.current;
    if (element === null) return;
    element.scrollTop = pixels;
    expected.current = element.scrollTop;
    setTop(element.scrollTop);
  }, []);

  const reveal = useCallback(
    (index: number) => {
      const rows = height / ROW;
      if (index < first) scrollTo(index / scale);
      else if (index > first + rows - 1) scrollTo((index - rows + 1) / scale);
    },
    [first, height, scale, scrollTo],
  );

  useLayoutEffect(() => {
    if (follow) scrollTo(full);
  }, [follow, full, height, scrollTo]);

  const shown = useRef<number>(undefined);
  useEffect(() => {
    if (chosen !== undefined && chosen !== shown.current && chosen < total && height > 0) {
      shown.current = chosen;
      if (!follow) reveal(chosen);
    }
  }, [chosen, total, height, follow, reveal]);

  const onScroll = (): void => {
    const element = scroller.current;
    if (element === null) return;
    setTop(element.scrollTop);
    if (Math.abs(element.scrollTop - expected.current) < 1) return;
    expected.current = -1;
    onFollow?.(element.scrollTop + element.clientHeight >= element.scrollHeight - 2);
  };

  const move = (index: number): void => {
    const there = Math.max(0, Math.min(total - 1, index));
    if (total === 0) return;
    shown.current = there;
    reveal(there);
    props.onChoose(there);
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const here = chosen ?? Math.floor(first);
    const moves: Record<string, number> = {
      ArrowDown: here + 1,
      ArrowUp: here - 1,
      PageDown: here + visible,
      PageUp: here - visible,
      Home: 0,
      End: total - 1,
    };
    const there = moves[event.key];
    if (there !== undefined && !event.altKey && !event.metaKey && !event.ctrlKey) {
      event.preventDefault();
      event.stopPropagation();
      move(there);
    } else if (event.key === "Enter" && chosen !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      props.onOpen?.(chosen);
    }
  };

  const rows: JSX.Element[] = [];
  // Where the list is longer than what can be scrolled, rows stand around what is in sight.
  const offset = top - first * ROW;
  for (let index = begin; index < end; index++) {
    const row = props.row(index);
    rows.push(
      <div
        key={index}
        id={`${id}-${index}`}
        role="row"
        aria-rowindex={index + 2}
        aria-selected={index === chosen}
        aria-label={row?.label}
        aria-busy={row === undefined ? true : undefined}
        class={`row ${row?.class ?? ""}`}
        style={{ transform: `translateY(${offset + index * ROW}px)`, gridTemplateColumns: tracks }}
        onClick={() => move(index)}
        onDblClick={() => props.onOpen?.(index)}
      >
        {row?.cells ?? <span class="muted" role="gridcell">…</span>}
      </div>,
    );
  }
  const active = chosen !== undefined && chosen >= begin && chosen < end ? `${id}-${chosen}` : undefined;
  return (
    <div
      class="list"
      role="grid"
      aria-label={label}
      aria-rowcount={total + 1}
      aria-activedescendant={active}
      tabIndex={0}
      onKeyDown={onKeyDown}
    >
      <div class="headings" role="row" aria-rowindex={1} style={{ gridTemplateColumns: tracks }}>
        {headings.map((heading) => (
          <span role="columnheader" key={heading} title={heading}>
            {heading}
          </span>
        ))}
      </div>
      <div class="scroller" role="presentation" ref={scroller} onScroll={onScroll}>
        <div class="canvas" role="rowgroup" style={{ height: `${full}px` }}>
          {rows}
        </div>
      </div>
    </div>
  );
}
