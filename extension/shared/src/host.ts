/**
 * What a view needs of the program that shows it: VS Code, JupyterLab, or a test's page.
 *
 * Views import this, `protocol.ts` and `model/`; neither `vscode` nor `@jupyterlab` is imported
 * anywhere in this package. A host sits beside the views, or at the other end of a message channel
 * (`bridge.ts`).
 */

import type {
  GraphdebugAlertEvent,
  GraphdebugDroppedEvent,
  GraphdebugRequests,
  GraphdebugStepEvent,
  Source,
} from "./protocol";

/** Something that ends when it is told to. */
export interface Disposable {
  dispose(): void;
}

/** The debug session, or kernel, that the views are about. */
export interface Session {
  /** Another session has another id; a restarted one too. */
  id: string;
  /** What the user knows it by, such as the program's or the notebook's name. */
  name: string;
}

/** Where a thread stands still. The host sends it again when the user chooses another frame. */
export interface Stop {
  threadId: number;
  /** The frame that the user looks at: the topmost one unless another was chosen. */
  frameId?: number;
  /** The `stopped` event's own words. */
  reason: string;
  description?: string;
  text?: string;
  /** The line of that frame. */
  source?: Source;
  /** The recorded step and node that it stands at, where the `stopped` event says so: its `graphdebug`. */
  step?: number;
  node?: number;
}

/** A tensor that a panel can show: an expression in the stopped frame, or what a node took or made. */
export type TensorTarget =
  | {
      kind: "expression";
      expression: string;
      /** The frame it was asked for in; the stop's own where left out. */
      frameId?: number;
    }
  | { kind: "output"; step: number; node: number; output: number }
  | { kind: "input"; step: number; node: number; input: number };

/** What the user looks at, in every view at once. */
export interface Selection {
  /** Index of a step; the newest one, as they come, where left out. */
  step?: number;
  /** Index of a node within it. */
  node?: number;
}

/** What a host tells its views, and with what. */
export interface HostEvents {
  /**
   * A session began, another one is looked at, or (undefined) it ended: `stop` and `selection` are
   * empty from here on. Of one that ended, views go on to show what they have.
   */
  session: Session | undefined;
  step: GraphdebugStepEvent;
  alert: GraphdebugAlertEvent;
  dropped: GraphdebugDroppedEvent;
  stopped: Stop;
  continued: undefined;
  /** The user chose something, in this view or in another one. */
  selection: Selection;
  /** A tensor panel that is there already is to show another tensor. */
  tensor: TensorTarget;
  /** The connection is lost, and why, in one line for the user; undefined once it is there again. */
  connection: string | undefined;
}

export type Command = keyof GraphdebugRequests;
export type Arguments<C extends Command> = GraphdebugRequests[C]["arguments"];
export type Response<C extends Command> = GraphdebugRequests[C]["response"];

/**
 * The program around the views. `session`, `stop` and `selection` say how things are when a view is
 * mounted, events how they change from then on.
 */
export interface Host {
  readonly session: Session | undefined;
  readonly stop: Stop | undefined;
  readonly selection: Selection;

  /** A custom DAP request. Rejects with an Error whose message is the adapter's sentence for the user. */
  request<C extends Command>(command: C, args: Arguments<C>): Promise<Response<C>>;

  on<E extends keyof HostEvents>(event: E, listener: (body: HostEvents[E]) => void): Disposable;

  /** Show a line of the program; with `keepFocus`, the keyboard stays in the view. */
  open(source: Source, options?: { keepFocus?: boolean }): void;
  /** Show a tensor in a panel of its own. */
  openTensor(target: TensorTarget): void;
  /** Show the graph of a step, that node of it in the middle. */
  openGraph(step: number, node?: number): void;
  /** Choose something; every view hears of it, this one too. */
  select(selection: Selection): void;

  /** What the view kept under `key`, in this session of the program around it or the last one. */
  readState(key: string): unknown;
  /** Keep a JSON value. */
  writeState(key: string, value: unknown): void;
}
