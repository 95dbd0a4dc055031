/** The time that steps took, and their loss where it is known, as one small picture. */

import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

import { counted, duration, grouped, number } from "../format";
import type { Timeline } from "../model/timeline";
import type { TimelinePoint } from "../protocol";
import { colours, context } from "./drawing";
import { useSize } from "./hooks";

const HEIGHT = 56;
const MARK = 5;

interface ChartProps {
  timeline: Timeline;
  chosen: number | undefined;
  onChoose: (step: number) => void;
}

export function Chart({ timeline, chosen, onChoose }: ChartProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const place = useRef<HTMLDivElement>(null);
  const { width } = useSize(place);
  const { points } = timeline;

  useLayoutEffect(() => {
    if (canvas.current !== null && width > 0) draw(canvas.current, width, timeline, chosen);
  });

  const at = (event: MouseEvent): TimelinePoint | undefined => {
    const first = points[0];
    const last = points.at(-1);
    if (first === undefined || last === undefined || width === 0) return undefined;
    const step = first.begin + (event.offsetX / width) * (last.end - first.begin);
    return points.find((point) => step < point.end) ?? last;
  };
  const onMove = (event: MouseEvent): void => {
    const point = at(event);
    if (point !== undefined && canvas.current !== null) canvas.current.title = told(point);
  };
  return (
    <div class="chart" ref={place}>
      <canvas
        ref={canvas}
        role="img"
        aria-label={spoken(timeline)}
        onMouseMove={onMove}
        onClick={(event) => {
          const point = at(event);
          if (point !== undefined) onChoose(point.begin);
        }}
      />
    </div>
  );
}

function draw(canvas: HTMLCanvasElement, width: number, timeline: Timeline, chosen: number | undefined): void {
  const pen = context(canvas, width, HEIGHT);
  const { points } = timeline;
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) return;
  const palette = colours(canvas);
  const span = last.end - first.begin;
  const x = (step: number): number => ((step - first.begin) / span) * width;
  const top = Math.max(timeline.longest * 1.15, 1);
  const floor = HEIGHT - MARK;
  const y = (ns: number): number => floor - Math.min(1, ns / top) * (floor - 3);
  for (const point of points) {
    const left = x(point.begin);
    const wide = Math.max(1, x(point.end) - left - (width / points.length > 3 ? 1 : 0));
    pen.fillStyle = palette.forward;
    pen.globalAlpha = 0.35;
    pen.fillRect(left, y(point.longestNs), wide, floor - y(point.longestNs));
    pen.globalAlpha = 1;
    pen.fillRect(left, y(point.meanNs), wide, floor - y(point.meanNs));
    if ((point.alerts ?? 0) > 0) {
      pen.fillStyle = palette.error;
      pen.fillRect(left, floor + 1, Math.max(3, wide), MARK - 1);
    }
  }
  if (timeline.hasLoss) line(pen, points, x, floor, palette.loss);
  if (chosen !== undefined) {
    pen.fillStyle = palette.foreground;
    pen.fillRect(Math.min(width - 1.5, x(chosen + 0.5) - 0.75), 0, 1.5, HEIGHT);
  }
}

function line(
  pen: CanvasRenderingContext2D,
  points: readonly TimelinePoint[],
  x: (step: number) => number,
  floor: number,
  colour: string,
): void {
  const losses = points.flatMap(({ loss }) => (typeof loss === "number" ? [loss] : []));
  const low = Math.min(...losses);
  const high = Math.max(...losses);
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  pen.lineJoin = "round";
  pen.beginPath();
  let drawing = false;
  for (const { begin, end, loss } of points) {
    if (typeof loss !== "number") {
      drawing = false;
      continue;
    }
    const y = high > low ? floor - 3 - ((loss - low) / (high - low)) * (floor - 8) : floor / 2;
    if (drawing) pen.lineTo(x((begin + end) / 2), y);
    else pen.moveTo(x((begin + end) / 2), y);
    drawing = true;
  }
  pen.stroke();
}

function told({ begin, end, meanNs, longestNs, alerts, loss }: TimelinePoint): string {
  const many = end - begin > 1;
  const parts = [many ? `Steps ${grouped(begin)} to ${grouped(end - 1)}` : `Step ${grouped(begin)}`];
  parts.push(many ? `${duration(meanNs)} each, ${duration(longestNs)} at most` : duration(meanNs));
  if (loss !== undefined) parts.push(`loss ${number(loss)}`);
  if (alerts) parts.push(counted(alerts, "alert"));
  return parts.join("\n");
}

function spoken({ points, mean, hasLoss }: Timeline): string {
  const alerts = points.reduce((sum, point) => sum + (point.alerts ?? 0), 0);
  const parts = ["Time of the steps", mean > 0 ? `${duration(mean)} in the mean` : ""];
  const first = points.find(({ loss }) => typeof loss === "number")?.loss;
  const last = points.findLast(({ loss }) => typeof loss === "number")?.loss;
  if (hasLoss && first !== undefined && last !== undefined) {
    parts.push(`loss from ${number(first)} to ${number(last)}`);
  }
  if (alerts > 0) parts.push(counted(alerts, "alert"));
  return parts.filter(Boolean).join(", ");
}
