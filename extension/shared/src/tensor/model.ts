/** A tensor that is looked at: its description and statistics, and of its elements those in sight. */

import type { Disposable, Host, Stop, TensorTarget } from "../host";
import { Pulse } from "../model/pulse";
import type {
  GraphdebugTensorArguments,
  GraphdebugTensorResponse,
  Tensor,
  TensorHistogram,
  TensorSummary,
} from "../protocol";
import { extent, fitted, planeOf, planeSlice, rowsOf, sliceOf } from "./layout";
import type { Element, Plane, Range } from "./layout";
import { part as partOf, summed } from "./nested";

/** Elements of a tile: few enough for one answer. */
export const TILE_ROWS = 64;
export const TILE_COLUMNS = 32;
const TILES_LIMIT = 256;
const WANTED_LIMIT = 12;

/** Elements that one answer may hold. */
export const ANSWER_LIMIT = 10_000;

type Expression = TensorTarget & { kind: "expression" };

export class TensorModel {
  readonly pulse = new Pulse();
  target: TensorTarget | undefined;
  tensor: Tensor | undefined;
  summary: TensorSummary | undefined;
  histogram: TensorHistogram | undefined;
  /** Why the target can't be shown as it is now; in a sentence. */
  error: string | undefined;
  /** Whether each stop shows what the tensor is then. */
  pinned = true;
  plane: Plane = planeOf([]);
  /** Counts what is asked for anew: what is drawn of an earlier one is out of date. */
  version = 0;
  readonly #host: Host;
  readonly #parts: Disposable[];
  readonly #tiles = new Map<string, Element[][]>();
  readonly #wanted = new Map<string, [number, number]>();
  #readAt: Stop | undefined;
  #moved = false;
  /** All there is of a tensor that was captured with its step. */
  #all: GraphdebugTensorResponse | undefined;
  #working = false;
  #counted = "";

  constructor(host: Host, target: TensorTarget | undefined) {
    this.#host = host;
    const changed = (): void => this.pulse.changed();
    this.#parts = [
      host.on("tensor", (other) => this.show(other)),
      host.on("stopped", () => this.#stopped()),
      host.on("continued", changed),
      host.on("session", changed),
    ];
    if (target !== undefined) this.show(target);
  }

  dispose(): void {
    for (const part of this.#parts) part.dispose();
    this.pulse.dispose();
  }

  get shape(): readonly number[] {
    return this.tensor?.shape ?? [];
  }

  get rows(): number {
    return extent(this.shape, this.plane.rows);
  }

  get columns(): number {
    return extent(this.shape, this.plane.columns);
  }

  /** What the tensor is called. */
  get name(): string {
    const { target } = this;
    if (target === undefined) return "No tensor";
    if (target.kind === "expression") return target.expression;
    const place = target.kind === "output" ? `output ${target.output}` : `input ${target.input}`;
    return `Step ${target.step}, node ${target.node}, ${place}`;
  }

  /** Whether the program has gone on since the values were read. */
  get stale(): boolean {
    return this.target?.kind === "expression" && this.#readAt !== this.#host.stop;
  }

  /** Look at another tensor. */
  show(target: TensorTarget): void {
    this.target = target;
    this.tensor = this.summary = this.histogram = this.error = undefined;
    this.plane = planeOf([]);
    this.#moved = false;
    void this.refresh();
  }

  /** Read it again. */
  async refresh(): Promise<void> {
    const { target } = this;
    if (target === undefined) return;
    const version = ++this.version;
    const stop = this.#host.stop;
    try {
      this.#all = undefined;
      let found = await this.#ask({ mode: "summary" });
      if (found.summary === undefined && target.kind !== "expression") {
        // One that was captured with its step: all of its few elements come at once.
        this.#all = await this.#ask({ mode: "values" });
        found = { ...found, summary: summed(this.#all.values) };
      }
      if (version !== this.version) return;
      this.error = undefined;
      this.#readAt = stop;
      this.#take(found);
    } catch (error) {
      if (version !== this.version) return;
      this.#fail(error);
    }
    this.pulse.changed();
  }

  #take(found: GraphdebugTensorResponse): void {
    const known = this.tensor;
    this.tensor = found.tensor;
    this.summary = found.summary;
    this.#forget();
    this.plane = known === undefined ? planeOf(this.shape) : fitted(this.plane, this.shape);
  }

  #forget(): void {
    this.#tiles.clear();
    this.#wanted.clear();
    this.#counted = "";
    this.version++;
  }

  #fail(error: unknown): void {
    this.error = error instanceof Error ? error.message : String(error);
  }

  /** Look at another part of it. */
  turn(plane: Plane): void {
    this.plane = fitted(plane, this.shape);
    this.#forget();
    this.pulse.changed();
  }

  /** The element at a place of the plane; undefined while it isn't here. It is fetched then. */
  at(row: number, column: number): Element | undefined {
    const [down, across] = [Math.floor(row / TILE_ROWS), Math.floor(column / TILE_COLUMNS)];
    const key = `${down},${across}`;
    const tile = this.#tiles.get(key);
    if (tile !== undefined) return tile[row - down * TILE_ROWS]?.[column - across * TILE_COLUMNS];
    this.#wanted.delete(key);
    this.#wanted.set(key, [down, across]);
    if (!this.#working && this.error === undefined) void this.#work();
    return undefined;
  }

  /** Elements of a plane, every so many-th of them; a piece at a time, rows from the top. */
  async *sampled(plane: Plane, rows: Range, columns: Range, depth = 1): AsyncGenerator<unknown[]> {
    const across = Math.ceil((columns.end - columns.begin) / (columns.step ?? 1)) * depth;
    const step = rows.step ?? 1;
    const many = Math.max(1, Math.floor(ANSWER_LIMIT / Math.max(1, across))) * step;
    for (let begin = rows.begin; begin < rows.end; begin += many) {
      const part = { begin, end: Math.min(rows.end, begin + many), step };
      const slice = sliceOf(plane, part, columns);
      const { values } = await this.#ask({ mode: "values", slice });
      yield values as unknown[];
    }
  }

  /** Have the histogram of all of it, or of the plane. */
  async count(whole: boolean): Promise<void> {
    const slice = whole || this.shape.length === 0 ? undefined : planeSlice(this.plane);
    const wanted = `${this.version} ${slice ?? ""}`;
    if (this.#counted === wanted || this.tensor === undefined) return;
    this.#counted = wanted;
    try {
      const found = await this.#ask({ mode: "histogram", ...(slice && { slice }) });
      if (this.#counted === wanted) this.histogram = found.histogram;
    } catch (error) {
      this.#fail(error);
    }
    this.pulse.changed();
  }

  /** Fetch visible tiles, those asked for last first; what was scrolled past isn't fetched. */
  async #work(): Promise<void> {
    this.#working = true;
    await Promise.resolve();
    for (;;) {
      const last = [...this.#wanted].at(-1);
      if (last === undefined) break;
      this.#wanted.delete(last[0]);
      for (const key of [...this.#wanted.keys()].slice(0, -WANTED_LIMIT)) this.#wanted.delete(key);
      await this.#load(last[0], ...last[1]);
      this.pulse.changed();
    }
    this.#working = false;
  }

  async #load(key: string, down: number, across: number): Promise<void> {
    const { version } = this;
    const [row, column] = [down * TILE_ROWS, across * TILE_COLUMNS];
    const rows = { begin: row, end: Math.min(this.rows, row + TILE_ROWS) };
    const columns = { begin: column, end: Math.min(this.columns, column + TILE_COLUMNS) };
    try {
      const slice = sliceOf(this.plane, rows, columns);
      const found = await this.#ask({ mode: "values", ...(slice && { slice }) });
      if (version !== this.version) return;
      this.#tiles.set(key, rowsOf(this.plane, found.values));
      for (const oldest of [...this.#tiles.keys()].slice(0, -TILES_LIMIT)) this.#tiles.delete(oldest);
    } catch (error) {
      if (version !== this.version) return;
      this.#fail(error);
      this.#wanted.clear();
    }
  }

  #ask(wanted: GraphdebugTensorArguments): Promise<GraphdebugTensorResponse> {
    const { target } = this;
    if (target === undefined) return Promise.reject(new Error("there is no tensor"));
    if (target.kind === "expression") {
      const frameId = this.#frame(target);
      if (frameId === undefined) {
        return Promise.reject(new Error("the program runs: a tensor can be read where it stops"));
      }
      const { expression } = target;
      return this.#host.request("graphdebugTensor", { ...wanted, frameId, expression });
    }
    if (this.#all !== undefined && wanted.mode === "values") {
      return Promise.resolve({ ...this.#all, values: partOf(this.#all.values, wanted.slice ?? "") });
    }
    const { step, node } = target;
    const which = target.kind === "output" ? { output: target.output } : { input: target.input };
    return this.#host.request("graphdebugTensor", { ...wanted, step, node, ...which });
  }

  /** The frame that it was asked for in, as long as the program stands there; then each stop's own. */
  #frame(target: Expression): number | undefined {
    const { stop } = this.#host;
    return stop === undefined || this.#moved ? stop?.frameId : (target.frameId ?? stop.frameId);
  }

  #stopped(): void {
    this.#moved = true;
    if (this.pinned && this.target?.kind === "expression") void this.refresh();
    else this.pulse.changed();
  }
}
