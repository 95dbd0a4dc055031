/** How the elements of a tensor are spread. */

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";

import { grouped, number } from "../format";
import type { TensorHistogram } from "../protocol";
import type { TensorModel } from "../tensor/model";
import { colours } from "./drawing";
import { useSize } from "./hooks";

export function Histogram({ model }: { model: TensorModel }): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(place);
  const [whole, setWhole] = useState(true);
  const [logarithmic, setLogarithmic] = useState(false);
  const { histogram, version } = model;

  useEffect(() => {
    void model.count(whole);
  }, [model, version, whole]);

  useEffect(() => {
    if (place.current === null || histogram === undefined || width === 0 || height < 40) return;
    const drawn = plot(place.current, histogram, width, height, logarithmic);
    return () => drawn.destroy();
  }, [histogram, width, height, logarithmic]);

  const finite = histogram?.counts.reduce((sum, count) => sum + count, 0) ?? 0;
  return (
    <div class="pictured">
      <div class="bar">
        {model.shape.length > 2 && (
          <label>
            <input type="checkbox" checked={!whole} onChange={() => setWhole(!whole)} /> this slice alone
          </label>
        )}
        <label>
          <input type="checkbox" checked={logarithmic} onChange={() => setLogarithmic(!logarithmic)} /> logarithmic
        </label>
        <span class="grow" />
        <span class="muted">
          {histogram === undefined ? "no histogram of so few elements" : `${grouped(finite)} finite elements`}
        </span>
      </div>
      <div
        class="frame"
        ref={place}
        role="img"
        aria-label={histogram === undefined ? "Histogram" : spoken(histogram, finite)}
      />
    </div>
  );
}

function plot(
  place: HTMLElement,
  { edges, counts }: TensorHistogram,
  width: number,
  height: number,
  logarithmic: boolean,
): uPlot {
  const palette = colours(place);
  const centres = counts.map((_, at) => (Number(edges[at]) + Number(edges[at + 1])) / 2);
  const grid = { stroke: palette.border, width: 0.5 };
  const axis = { stroke: palette.foreground, grid, ticks: grid, font: "11px system-ui, sans-serif" };
  const bars = uPlot.paths.bars?.({ size: [1, Infinity], gap: 1 });
  const options: uPlot.Options = {
    width: width - 8,
    height: height - 8,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: () => [Number(edges[0]), Number(edges.at(-1))] },
      y: logarithmic ? { distr: uPlot.Scale.Distr.Logarithmic, range: (_, __, high) => [0.5, Math.max(2, high)] } : { range: (_, __, high) => [0, high * 1.05 || 1] },
    },
    axes: [
      { ...axis, values: (_, values) => values.map((value) => number(value, 3)) },
      { ...axis, size: 60, values: (_, values) => values.map((value) => grouped(value)) },
    ],
    series: [
      {},
      { stroke: palette.forward, fill: palette.forward, points: { show: false }, ...(bars && { paths: bars }) },
    ],
    hooks: {
      setCursor: [
        (drawn) => {
          const at = drawn.cursor.idx;
          place.title =
            at === null || at === undefined
              ? ""
              : `${grouped(counts[at] ?? 0)} from ${number(Number(edges[at]))} to ${number(Number(edges[at + 1]))}`;
        },
      ],
    },
  };
  const heights = logarithmic ? counts.map((count) => count || null) : counts;
  return new uPlot(options, [centres, heights], place);
}

function spoken({ edges, counts }: TensorHistogram, finite: number): string {
  const most = counts.indexOf(Math.max(...counts));
  const [low, high] = [number(Number(edges[most])), number(Number(edges[most + 1]))];
  return `Histogram of ${grouped(finite)} elements from ${number(Number(edges[0]))} to ${number(Number(edges.at(-1)))}, most of them from ${low} to ${high}`;
}
