/** The host of the views: what they see is the notebook in front. */

import type { ServerConnection } from "@jupyterlab/services";

import type {
  Arguments,
  Command,
  Disposable,
  Host,
  HostEvents,
  Response,
  Selection,
  Session,
  Stop,
  TensorTarget,
} from "../../shared/src/host";
import type {
  CellBreakpoint,
  Configuration,
  GraphdebugTensorArguments,
  KernelStopEvent,
  Source,
} from "../../shared/src/protocol";
import { type Heard, KernelLink } from "./kernel";
import { named, plain } from "./names";

/** What the rest of JupyterLab does for the host. */
export interface Surroundings {
  /** What a file is called, where it is a cell. */
  name(path: string): string | undefined;
  open(source: Source, keepFocus: boolean): void;
  openTensor(target: TensorTarget): void;
  openGraph(step: number, node?: number): void;
  /** Evaluate in the kernel: in the stopped frame, or where nothing runs. Rejects where it can't be done. */
  evaluate(expression: string, frameId: number | undefined): Promise<void>;
}

/** Beside what views hear: for the sidebar itself. */
export interface NotebookEvents extends HostEvents {
  breakpoints: readonly CellBreakpoint[];
  configuration: Configuration;
}

const INSPECT = "__import__('graphdebug.runtime.boot').runtime.boot.inspect";
const STATE = "graphdebug:";

export class NotebookHost implements Host {
  session: Session | undefined;
  stop: Stop | undefined;
  selection: Selection = {};
  configuration: Configuration | undefined;
  breakpoints: readonly CellBreakpoint[] = [];
  /** What the server announced of a stop, which comes over another channel; and whether it has come. */
  #announced: KernelStopEvent | undefined;
  #came = false;
  /** The stop as the debugger tells it. */
  #unnamed: Stop | undefined;
  readonly #listeners = new Map<string, Set<(body: never) => void>>();
  #link: KernelLink | undefined;
  #name = "";

  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly surroundings: Surroundings,
  ) {}

  get link(): KernelLink | undefined {
    return this.#link;
  }

  /** Another notebook is in front, or its kernel is another one. */
  look(kernel: string | undefined, name: string): void {
    this.#name = name;
    if (kernel === this.#link?.id) return;
    this.#link?.dispose();
    this.#link = undefined;
    this.#announced = undefined;
    this.setBreakpoints([]);
    this.#setSession(undefined);
    if (kernel !== undefined) {
      const link = new KernelLink(kernel, this.settings, (event, body) => {
        if (this.#link === link || this.#link === undefined) this.#heard(event, body);
      });
      this.#link = link;
    }
  }

  /** A thread stopped, or the user looks at another frame of it. */
  stopped(stop: Stop): void {
    this.#unnamed = stop;
    const announced = this.#announced;
    const here = announced && stop.source && announced.source.line === stop.source.line
      && announced.source.path.endsWith(tail(stop.source.path));
    this.#came ||= here === true;
    this.stop = this.#named(here
      ? { ...stop, description: announced.title, text: announced.text, step: announced.step ?? undefined }
      : stop);
    this.#emit("stopped", this.stop);
  }

  /** The thread that stood goes on, or another stop is there: what was announced of the last one is over. */
  passed(): void {
    if (this.#came) this.#announced = undefined;
    this.#came = false;
  }

  /** No frame is looked at. */
  continued(): void {
    this.#unnamed = undefined;
    if (this.stop === undefined) return;
    this.stop = undefined;
    this.#emit("continued", undefined);
  }

  /** What the notebook's breakpoints do. */
  setBreakpoints(breakpoints: readonly CellBreakpoint[]): void {
    this.breakpoints = breakpoints;
    this.#emit("breakpoints", breakpoints);
  }

  async request<C extends Command>(command: C, args: Arguments<C>): Promise<Response<C>> {
    const link = this.#link;
    if (link === undefined) throw new Error("There is no kernel.");
    const tensor = args as GraphdebugTensorArguments;
    const live = command === "graphdebugTensor" && tensor.expression !== undefined;
    const answer = live
      ? await this.#live(link, tensor)
      : await link.get(command.replace("graphdebug", "").toLowerCase(), asPlain(args));
    return this.#named(answer as Response<C>);
  }

  #named<T>(value: T): T {
    return named(value, (path) => this.surroundings.name(path));
  }

  on<E extends keyof NotebookEvents>(event: E, listener: (body: NotebookEvents[E]) => void): Disposable {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    listeners.add(listener);
    return { dispose: () => listeners.delete(listener) };
  }

  open(source: Source, options: { keepFocus?: boolean } = {}): void {
    this.surroundings.open({ ...source, path: plain(source.path) }, options.keepFocus ?? false);
  }

  openTensor(target: TensorTarget): void {
    this.surroundings.openTensor(target);
    this.#emit("tensor", target);
  }

  openGraph(step: number, node?: number): void {
    this.select({ step, node });
    this.surroundings.openGraph(step, node);
  }

  select(selection: Selection): void {
    this.selection = selection;
    this.#emit("selection", selection);
  }

  readState(key: string): unknown {
    const text = window.localStorage.getItem(STATE + key);
    return text === null ? undefined : (JSON.parse(text) as unknown);
  }

  writeState(key: string, value: unknown): void {
    window.localStorage.setItem(STATE + key, JSON.stringify(value));
  }

  #heard<E extends keyof Heard>(event: E, body: Heard[E]): void {
    if (event === "session") {
      const { session, configuration } = body as Heard["session"];
      this.configuration = configuration;
      this.#emit("connection", undefined);
      const id = session ?? undefined;
      if (id !== this.session?.id) this.#setSession(id === undefined ? undefined : { id, name: this.#name });
      this.#emit("configuration", configuration);
    } else if (event === "lost") this.#emit("connection", body as string);
    else if (event === "stop") this.#announce(body as KernelStopEvent);
    else if (event === "breakpoints") this.setBreakpoints((body as Heard["breakpoints"]).breakpoints);
    else if (event === "graphdebugStep") this.#emit("step", this.#named(body as Heard["graphdebugStep"]));
    else if (event === "graphdebugAlert") this.#emit("alert", this.#named(body as Heard["graphdebugAlert"]));
    else if (event === "graphdebugDropped") this.#emit("dropped", body as Heard["graphdebugDropped"]);
  }

  #announce(stop: KernelStopEvent): void {
    this.#announced = stop;
    this.#came = false;
    if (this.#unnamed) this.stopped(this.#unnamed); // the stop was faster
  }

  #setSession(session: Session | undefined): void {
    this.session = session;
    this.stop = this.#unnamed = undefined;
    this.selection = {};
    this.#emit("session", session);
  }

  async #live(link: KernelLink, asked: GraphdebugTensorArguments): Promise<unknown> {
    const key = `lab-${crypto.randomUUID()}`;
    const index = asked.slice === undefined ? "None" : JSON.stringify(asked.slice);
    const mode = JSON.stringify(asked.mode ?? "summary");
    const expression = `${INSPECT}(${JSON.stringify(key)}, (${asked.expression ?? ""}), ${mode}, ${index})`;
    await this.surroundings.evaluate(expression, asked.frameId ?? this.stop?.frameId);
    return link.published(key);
  }

  #emit<E extends keyof NotebookEvents>(event: E, body: NotebookEvents[E]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      (listener as (body: NotebookEvents[E]) => void)(body);
    }
  }
}

function asPlain(args: object): object {
  const { path } = args as { path?: string };
  return path === undefined ? args : { ...args, path: plain(path) };
}

/** The last two parts of a path: they name a cell, whatever way leads to the directory. */
function tail(path: string): string {
  return path.split(/[/\\]/).slice(-2).join("/");
}
