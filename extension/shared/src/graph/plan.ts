/**
 * Where each node of a step lies. Steps are long and narrow: forward runs down on the left, backward
 * up beside it, the optimizer beside that; what is very long goes on in another band, as text does in
 * a newspaper. Each column is cut into pieces of some nodes that follow each other, so that a piece is
 * laid out in little time, those in sight first.
 */

import type { ElkNode } from "elkjs/lib/elk-api.js";

import type { Phase } from "../protocol";
import type { Box, Flow } from "./flow";

export const BOX_WIDTH = 190;
export const BOX_HEIGHT = 38;
const PHASES: readonly Phase[] = ["forward", "graph", "backward", "optimizer"];
const BETWEEN = 24;
const COLUMN_GAP = 140;
/** Nodes of a piece: its layout takes some 30 ms. */
export const PIECE = 64;
/** What is much higher is cut into bands of at least this height, which stand beside each other. */
const BAND = 6000;
const ASPECT = 1.6;
/** Edges across more nodes than these are drawn past them: elkjs would keep a lane free for each. */
const FAR = 16;

export interface Point {
  x: number;
  y: number;
}

export interface Piece {
  column: number;
  boxes: readonly Box[];
  /** Of its boxes' upper left corners, from its own; a list from the top until it is laid out. */
  places: Point[];
  /** The bends of edges that were laid out, by the indices of their nodes: `3>5`. */
  bends: Map<string, Point[]>;
  width: number;
  height: number;
  laidOut: boolean;
  /** Its own corner. */
  x: number;
  y: number;
}

export interface Column {
  pieces: Piece[];
  /** Backward runs up. */
  up: boolean;
}

export class Plan {
  readonly flow: Flow;
  /** Those that it has nodes of. */
  readonly phases: readonly Phase[];
  readonly columns: Column[] = [];
  readonly pieces: Piece[] = [];
  /** The piece of each node, and its place within. */
  readonly #placed = new Map<number, { piece: Piece; at: number }>();
  width = 0;
  height = 0;

  constructor(flow: Flow) {
    this.flow = flow;
    const boxes = [...flow.boxes.values()];
    const of = (...phases: Phase[]): Box[] => boxes.filter(({ phase }) => phases.includes(phase));
    this.phases = PHASES.filter((phase) => boxes.some((box) => box.phase === phase));
    this.#add(of("forward", "graph"), false);
    this.#add(of("backward"), true);
    this.#add(of("optimizer"), false);
    this.arrange();
  }

  #add(boxes: readonly Box[], up: boolean): void {
    if (boxes.length === 0) return;
    const column: Column = { pieces: [], up };
    for (let begin = 0; begin < boxes.length; begin += PIECE) {
      const part = boxes.slice(begin, begin + PIECE);
      const piece: Piece = {
        column: this.columns.length,
        boxes: part,
        places: part.map((_, at) => ({
          x: 0,
          y: (up ? part.length - 1 - at : at) * (BOX_HEIGHT + BETWEEN),
        })),
        bends: new Map(),
        width: BOX_WIDTH,
        height: part.length * (BOX_HEIGHT + BETWEEN) - BETWEEN,
        laidOut: false,
        x: 0,
        y: 0,
      };
      part.forEach((box, at) => this.#placed.set(box.index, { piece, at }));
      column.pieces.push(piece);
      this.pieces.push(piece);
    }
    this.columns.push(column);
  }

  /** Put the pieces below each other, the columns beside each other, and that in bands. */
  arrange(): void {
    this.height = Math.max(0, ...this.columns.map(({ pieces }) => stacked(pieces)));
    this.#stack();
    this.#cut();
  }

  #stack(): void {
    let x = 0;
    this.columns.forEach(({ pieces, up }, at) => {
      const width = Math.max(...pieces.map((piece) => piece.width));
      // Backward begins where forward ends.
      let y = up ? this.height : 0;
      for (const piece of pieces) {
        piece.x = x + (width - piece.width) / 2;
        if (up) y -= piece.height;
        piece.y = y;
        y += up ? -BETWEEN : piece.height + BETWEEN;
      }
      x += width + (at < this.columns.length - 1 ? COLUMN_GAP : 0);
    });
    this.width = x;
  }

  #cut(): void {
    const wide = this.width + 1.5 * COLUMN_GAP;
    const high = Math.max(BAND, Math.sqrt((this.height * wide) / ASPECT));
    if (this.height < 1.5 * high) return;
    for (const piece of this.pieces) {
      const band = Math.floor((piece.y + piece.height / 2) / high);
      piece.x += band * wide;
      piece.y -= band * high;
    }
    const top = Math.min(...this.pieces.map(({ y }) => y));
    for (const piece of this.pieces) piece.y -= top;
    this.width = Math.max(...this.pieces.map(({ x, width }) => x + width));
    this.height = Math.max(...this.pieces.map(({ y, height }) => y + height));
  }

  /** The upper left corner of a node's box. */
  place(index: number): Point | undefined {
    const found = this.#placed.get(index);
    const at = found?.piece.places[found.at];
    return found && at && { x: found.piece.x + at.x, y: found.piece.y + at.y };
  }

  piece(index: number): Piece | undefined {
    return this.#placed.get(index)?.piece;
  }

  /** The node at a point. */
  at({ x, y }: Point): Box | undefined {
    for (const piece of this.pieces) {
      if (x < piece.x || y < piece.y || x > piece.x + piece.width || y > piece.y + piece.height) continue;
      const at = piece.places.findIndex(
        (place) => inside(x - piece.x - place.x, BOX_WIDTH) && inside(y - piece.y - place.y, BOX_HEIGHT),
      );
      if (at >= 0) return piece.boxes[at];
    }
    return undefined;
  }

  /** A piece as elkjs takes it: its nodes, and the edges between them. */
  graph(piece: Piece): ElkNode {
    const own = new Map(piece.boxes.map(({ index }, at) => [index, at]));
    const near = (maker: number, taker: number): boolean => {
      const [from, to] = [own.get(maker), own.get(taker)];
      return from !== undefined && to !== undefined && Math.abs(to - from) <= FAR;
    };
    return {
      id: "piece",
      layoutOptions: OPTIONS,
      children: piece.boxes.map(({ index }) => ({ id: String(index), width: BOX_WIDTH, height: BOX_HEIGHT })),
      edges: piece.boxes.flatMap(({ index, from }) =>
        from
          .filter((maker) => near(maker, index))
          .map((maker) => ({ id: `${maker}>${index}`, sources: [String(maker)], targets: [String(index)] })),
      ),
    };
  }

  /** A piece was laid out. */
  take(piece: Piece, found: ElkNode): void {
    const [width, height] = [found.width ?? 0, found.height ?? 0];
    const up = this.columns[piece.column]?.up === true;
    const places = new Map((found.children ?? []).map((child) => [child.id, child]));
    piece.width = width;
    piece.height = height;
    piece.laidOut = true;
    piece.places = piece.boxes.map(({ index }) => {
      const { x = 0, y = 0 } = places.get(String(index)) ?? {};
      return { x, y: up ? height - y - BOX_HEIGHT : y };
    });
    for (const edge of found.edges ?? []) {
      const bends = edge.sections?.[0]?.bendPoints ?? [];
      piece.bends.set(edge.id, bends.map(({ x, y }) => ({ x, y: up ? height - y : y })));
    }
    this.arrange();
  }
}

const OPTIONS = {
  "elk.algorithm": "layered",
  "elk.direction": "DOWN",
  "elk.padding": "[top=0,left=0,bottom=0,right=0]",
  "elk.spacing.nodeNode": "24",
  "elk.layered.spacing.nodeNodeBetweenLayers": "24",
  "elk.layered.spacing.edgeNodeBetweenLayers": "10",
  "elk.edgeRouting": "POLYLINE",
  "elk.layered.nodePlacement.strategy": "BRANDES_KOEPF",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  "elk.separateConnectedComponents": "true",
  "elk.aspectRatio": "0.3",
};

function stacked(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { height }) => sum + height + BETWEEN, -BETWEEN);
}

function inside(value: number, size: number): boolean {
  return value >= 0 && value <= size;
}
