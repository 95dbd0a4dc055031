/** The graph of the step that is looked at: fetched, laid out piece by piece, and where the user is in it. */

import { counted, grouped } from "../format";
import type { Observed } from "../model/observed";
import { Pulse } from "../model/pulse";
import { Camera } from "./camera";
import { fetchFlow, type Box } from "./flow";
import { BOX_HEIGHT, BOX_WIDTH, Plan, type Piece, type Point } from "./plan";
import { Layouter } from "./worker";

export class GraphModel {
  readonly pulse = new Pulse();
  readonly camera = new Camera();
  plan: Plan | undefined;
  error: string | undefined;
  /** Pieces that are laid out already. */
  done = 0;
  /** How much of the step is fetched: some words for the user, while it is. */
  loading = "";
  #layouter: Layouter | undefined;
  #step: number | undefined;
  #version = 0;
  #centred: number | undefined;

  /** Look at a step. */
  async show(of: Observed, step: number | undefined): Promise<void> {
    const version = ++this.#version;
    if (step !== this.#step) this.plan = this.error = undefined;
    this.#step = step;
    this.loading = step === undefined ? "" : "loading";
    this.pulse.changed();
    if (step === undefined) return;
    try {
      const flow = await fetchFlow(of.host, step, (part) => {
        if (version !== this.#version) return false;
        this.loading = `loading ${grouped(part.boxes.size)} of ${counted(part.total, "node")}`;
        // A list of what is there can be looked at already.
        const first = this.plan === undefined;
        this.plan = new Plan(part);
        if (first) this.fit(false);
        this.pulse.changed();
        return true;
      });
      if (flow === undefined) return;
      this.error = undefined;
      this.plan = new Plan(flow);
      this.done = 0;
      this.#centred = undefined;
    } catch (error) {
      if (version !== this.#version) return;
      this.error = error instanceof Error ? error.message : String(error);
    }
    this.loading = "";
    this.pulse.changed();
    await this.#layOut(version);
  }

  get step(): number | undefined {
    return this.#step;
  }

  dispose(): void {
    this.#version++;
    this.#layouter?.dispose();
    this.pulse.dispose();
  }

  /** Have a node in the middle, and as large as can be read. */
  centre(index: number): void {
    const place = this.plan?.place(index);
    if (place === undefined) return;
    this.#centred = index;
    this.camera.zoom = Math.max(this.camera.zoom, 0.8);
    this.camera.centre(middle(place));
    this.pulse.changed();
  }

  /** Have a node in sight. */
  reveal(index: number): void {
    const place = this.plan?.place(index);
    if (place === undefined) return;
    const { x, y } = this.camera.seen(middle(place));
    const { width, height, zoom } = this.camera;
    const [wide, high] = [(BOX_WIDTH / 2) * zoom + 8, (BOX_HEIGHT / 2) * zoom + 8];
    if (zoom < 0.4 || x < wide || y < high || x > width - wide || y > height - high) this.centre(index);
    else this.pulse.changed();
  }

  fit(whole: boolean): void {
    if (this.plan !== undefined) this.camera.fit(this.plan.width, this.plan.height, whole);
    this.pulse.changed();
  }

  /** The node that a key leads to: an arrow, or `b` for what has its gradient, or whose it is. */
  beside(index: number | undefined, key: string): number | undefined {
    const { plan } = this;
    if (plan === undefined) return undefined;
    const boxes = plan.flow.boxes;
    const box = index === undefined ? undefined : boxes.get(index);
    if (box === undefined) return boxes.keys().next().value;
    const up = plan.columns[plan.piece(box.index)?.column ?? 0]?.up === true;
    if (key === "ArrowDown") return (up ? box.from[0] : box.to[0]) ?? inOrder(plan, box, up ? -1 : 1);
    if (key === "ArrowUp") return (up ? box.to[0] : box.from[0]) ?? inOrder(plan, box, up ? 1 : -1);
    if (key === "b") return box.forwardNode ?? box.backward[0];
    return beside(plan, box, key === "ArrowRight" ? 1 : -1);
  }

  /** Lay out all pieces; those nearest to what is in sight first, wherever that moves. */
  async #layOut(version: number): Promise<void> {
    const { plan } = this;
    if (plan === undefined) return;
    this.#layouter ??= new Layouter();
    for (;;) {
      const piece = this.#next(plan);
      if (piece === undefined) return;
      try {
        const found = await this.#layouter.layout(plan.graph(piece));
        if (version !== this.#version) return;
        this.#still(plan, () => plan.take(piece, found));
      } catch (error) {
        if (version !== this.#version) return;
        piece.laidOut = true; // it stays a list
        this.error = `this part of the graph can't be laid out: ${String(error)}`;
      }
      this.done++;
      this.pulse.changed();
    }
  }

  #next({ pieces }: Plan): Piece | undefined {
    const away = ({ x, y, width, height }: Piece): number =>
      Math.max(0, y - this.camera.y, this.camera.y - y - height) +
      Math.max(0, x - this.camera.x, this.camera.x - x - width);
    return pieces.filter((piece) => !piece.laidOut).sort((a, b) => away(a) - away(b))[0];
  }

  /** Pieces move as others become larger: what the user looks at stays where it is seen. */
  #still(plan: Plan, change: () => void): void {
    const centre = { x: this.camera.x, y: this.camera.y };
    const kept = this.#centred ?? plan.at(centre)?.index ?? nearest(plan, centre)?.boxes[0]?.index;
    const before = kept === undefined ? undefined : plan.place(kept);
    change();
    const after = kept === undefined ? undefined : plan.place(kept);
    if (before !== undefined && after !== undefined) {
      this.camera.x += after.x - before.x;
      this.camera.y += after.y - before.y;
    }
  }
}

function middle({ x, y }: Point): Point {
  return { x: x + BOX_WIDTH / 2, y: y + BOX_HEIGHT / 2 };
}

function nearest({ pieces }: Plan, { x, y }: Point): Piece | undefined {
  const away = (piece: Piece): number => Math.abs(x - piece.x) + Math.abs(y - piece.y);
  return pieces.reduce<Piece | undefined>(
    (best, piece) => (best === undefined || away(piece) < away(best) ? piece : best),
    undefined,
  );
}

function inOrder({ flow }: Plan, { index, phase }: Box, by: 1 | -1): number | undefined {
  for (let at = index + by; at >= 0 && at < flow.total; at += by) {
    const other = flow.boxes.get(at);
    if (other?.phase === phase) return at;
    if (other !== undefined) return undefined;
  }
  return undefined;
}

/** The nearest node on that side at the same height; across columns, what belongs together. */
function beside(plan: Plan, box: Box, by: 1 | -1): number | undefined {
  const here = plan.place(box.index);
  const piece = plan.piece(box.index);
  if (here === undefined || piece === undefined) return undefined;
  let best: number | undefined;
  let closest = Infinity;
  for (const other of piece.boxes) {
    const there = plan.place(other.index);
    if (there === undefined) continue;
    const [x, y] = [(there.x - here.x) * by, Math.abs(there.y - here.y)];
    if (x > 1 && y < BOX_HEIGHT && x < closest) {
      closest = x;
      best = other.index;
    }
  }
  return best ?? (by > 0 ? box.backward[0] : box.forwardNode);
}
