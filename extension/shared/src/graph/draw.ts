/** Draws what of a plan is in sight; the rest costs nothing. */

import type { Colours } from "../view/drawing";
import type { Camera } from "./camera";
import type { Box } from "./flow";
import { BOX_HEIGHT, BOX_WIDTH, type Piece, type Plan, type Point } from "./plan";

export interface Marks {
  /** The node that is chosen. */
  chosen: number | undefined;
  /** Whether the program stands at a node's line. */
  stopped: (box: Box) => boolean;
  /** Whether a node is what is looked for; all are where nothing is. */
  wanted: (box: Box) => boolean;
  font: string;
}

/** Below this, text can't be read, and lines are but a haze. */
const TEXT_ZOOM = 0.35;
const EDGE_ZOOM = 0.06;

export function draw(pen: CanvasRenderingContext2D, plan: Plan, camera: Camera, palette: Colours, marks: Marks): void {
  const ratio = pen.getTransform().a;
  const low = camera.under({ x: 0, y: 0 });
  const high = camera.under({ x: camera.width, y: camera.height });
  const pieces = plan.pieces.filter(
    ({ x, y, width, height }) => x < high.x && y < high.y && x + width > low.x && y + height > low.y,
  );
  const origin = camera.seen({ x: 0, y: 0 });
  pen.setTransform(ratio * camera.zoom, 0, 0, ratio * camera.zoom, ratio * origin.x, ratio * origin.y);
  if (camera.zoom > EDGE_ZOOM) edges(pen, plan, pieces, palette, camera.zoom);
  if (marks.chosen !== undefined) around(pen, plan, marks.chosen, palette, camera.zoom);
  for (const piece of pieces) {
    piece.boxes.forEach((box, at) => {
      const place = piece.places[at];
      if (place === undefined) return;
      const [x, y] = [piece.x + place.x, piece.y + place.y];
      if (y > high.y || y + BOX_HEIGHT < low.y || x > high.x || x + BOX_WIDTH < low.x) return;
      pen.globalAlpha = marks.wanted(box) ? 1 : 0.25;
      if (camera.zoom > TEXT_ZOOM) closely(pen, box, x, y, palette, marks);
      else roughly(pen, box, x, y, palette, marks, camera.zoom);
    });
  }
  pen.globalAlpha = 1;
}

function closely(pen: CanvasRenderingContext2D, box: Box, x: number, y: number, palette: Colours, marks: Marks): void {
  const chosen = box.index === marks.chosen;
  pen.beginPath();
  pen.roundRect(x, y, BOX_WIDTH, BOX_HEIGHT, 5);
  pen.fillStyle = palette.raised;
  pen.fill();
  if (marks.stopped(box)) {
    pen.fillStyle = palette.stop;
    pen.fill();
  }
  pen.lineWidth = chosen ? 2.5 : 1;
  pen.strokeStyle = chosen ? palette.accent : palette.border;
  pen.stroke();
  pen.fillStyle = palette[box.phase];
  pen.beginPath();
  pen.roundRect(x, y, 5, BOX_HEIGHT, [5, 0, 0, 5]);
  pen.fill();
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  pen.font = `600 12px ${marks.font}`;
  pen.fillStyle = palette.foreground;
  pen.fillText(fitting(pen, box.title, BOX_WIDTH - 22), x + 12, y + 12.5);
  pen.font = `11px ${marks.font}`;
  pen.fillStyle = palette.muted;
  pen.fillText(fitting(pen, box.subtitle, BOX_WIDTH - 22), x + 12, y + 27);
}

function roughly(pen: CanvasRenderingContext2D, box: Box, x: number, y: number, palette: Colours, marks: Marks, zoom: number): void {
  pen.fillStyle = box.index === marks.chosen ? palette.accent : palette[box.phase];
  const grown = box.index === marks.chosen ? 4 / zoom : 0;
  pen.fillRect(x - grown, y - grown, BOX_WIDTH + 2 * grown, BOX_HEIGHT + 2 * grown);
  if (marks.stopped(box)) {
    pen.strokeStyle = palette.warning;
    pen.lineWidth = 3 / zoom;
    pen.strokeRect(x, y, BOX_WIDTH, BOX_HEIGHT);
  }
}

const widths = new Map<string, string>();

/** As much of a text as fits. */
function fitting(pen: CanvasRenderingContext2D, text: string, width: number): string {
  const key = `${pen.font}\n${width}\n${text}`;
  let found = widths.get(key);
  if (found === undefined) {
    found = text;
    while (found.length > 1 && pen.measureText(found).width > width) found = `${found.slice(0, -2)}…`;
    if (widths.size > 5000) widths.clear();
    widths.set(key, found);
  }
  return found;
}

function edges(pen: CanvasRenderingContext2D, plan: Plan, pieces: readonly Piece[], palette: Colours, zoom: number): void {
  pen.strokeStyle = palette.edge;
  pen.lineWidth = Math.max(1, 0.7 / zoom);
  pen.beginPath();
  for (const piece of pieces) {
    for (const box of piece.boxes) {
      for (const maker of box.from) edge(pen, plan, maker, box.index, zoom);
    }
  }
  pen.stroke();
}

function edge(pen: CanvasRenderingContext2D, plan: Plan, from: number, to: number, zoom: number): void {
  const [a, b] = [plan.place(from), plan.place(to)];
  const [maker, taker] = [plan.piece(from), plan.piece(to)];
  if (a === undefined || b === undefined || maker === undefined || taker === undefined) return;
  const up = plan.columns[taker.column]?.up === true;
  const begin = { x: a.x + BOX_WIDTH / 2, y: up ? a.y : a.y + BOX_HEIGHT };
  const end = { x: b.x + BOX_WIDTH / 2, y: up ? b.y + BOX_HEIGHT : b.y };
  pen.moveTo(begin.x, begin.y);
  const bends = maker === taker ? maker.bends.get(`${from}>${to}`) : undefined;
  if (bends !== undefined) {
    for (const bend of bends) pen.lineTo(maker.x + bend.x, maker.y + bend.y);
    pen.lineTo(end.x, end.y);
  } else if (maker.column !== taker.column) {
    curve(pen, begin, end);
  } else {
    past(pen, begin, end);
  }
  if (zoom > TEXT_ZOOM) arrow(pen, end, up ? -1 : 1);
}

/** To another column. */
function curve(pen: CanvasRenderingContext2D, begin: Point, end: Point): void {
  const half = (begin.x + end.x) / 2;
  pen.bezierCurveTo(half, begin.y, half, end.y, end.x, end.y);
}

/** Past the nodes between, on their right. */
function past(pen: CanvasRenderingContext2D, begin: Point, end: Point): void {
  const away = Math.abs(end.y - begin.y);
  const aside = away < 3 * BOX_HEIGHT ? 0 : BOX_WIDTH / 2 + Math.min(120, away / 20);
  const x = aside === 0 ? (begin.x + end.x) / 2 : Math.max(begin.x, end.x) + aside;
  const by = Math.sign(end.y - begin.y) * Math.min(60, away / 2);
  pen.bezierCurveTo(aside === 0 ? begin.x : x, begin.y + by, aside === 0 ? end.x : x, end.y - by, end.x, end.y);
}

function arrow(pen: CanvasRenderingContext2D, { x, y }: Point, down: 1 | -1): void {
  pen.moveTo(x - 3.5, y - 6 * down);
  pen.lineTo(x, y);
  pen.lineTo(x + 3.5, y - 6 * down);
}

/** The edges of the chosen node, and those between it and what it is the gradient of. */
function around(pen: CanvasRenderingContext2D, plan: Plan, index: number, palette: Colours, zoom: number): void {
  const box = plan.flow.boxes.get(index);
  if (box === undefined) return;
  pen.lineWidth = 2 / Math.min(1, zoom);
  pen.strokeStyle = palette.accent;
  pen.beginPath();
  for (const maker of box.from) edge(pen, plan, maker, index, zoom);
  for (const taker of box.to) edge(pen, plan, index, taker, zoom);
  pen.stroke();
  pen.strokeStyle = palette.backward;
  pen.setLineDash([6 / Math.min(1, zoom), 5 / Math.min(1, zoom)]);
  pen.beginPath();
  const pairs = box.backward.map((other): [number, number] => [index, other]);
  if (box.forwardNode !== undefined) pairs.push([box.forwardNode, index]);
  for (const [forward, backward] of pairs) {
    const [a, b] = [plan.place(forward), plan.place(backward)];
    if (a === undefined || b === undefined) continue;
    const begin = { x: a.x + BOX_WIDTH, y: a.y + BOX_HEIGHT / 2 };
    const end = { x: b.x, y: b.y + BOX_HEIGHT / 2 };
    pen.moveTo(begin.x, begin.y);
    curve(pen, begin, end);
  }
  pen.stroke();
  pen.setLineDash([]);
}
