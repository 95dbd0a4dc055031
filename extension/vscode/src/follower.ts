/** What the views ask for and hear of: the debug session that the user looks at. */

import * as vscode from "vscode";
import type {
  Arguments,
  Command,
  Disposable,
  Host,
  HostEvents,
  Response,
  Selection,
  Session,
  Source,
  Stop,
  TensorTarget,
} from "../../shared/src/index";
import { TYPE } from "./configurations";
import { Frames } from "./frames";

/** Opens what isn't in the sidebar. */
export interface Panels {
  openTensor(target: TensorTarget): void;
  openGraph(step: number, node?: number): void;
}

const EVENTS: Record<string, keyof HostEvents> = {
  graphdebugStep: "step",
  graphdebugAlert: "alert",
  graphdebugDropped: "dropped",
};

/**
 * Follows the active debug session. Steps and alerts are those of the whole program, which the session
 * that started it knows; a stop may be in the session of one of its child processes.
 */
export class Follower implements Host, vscode.DebugAdapterTrackerFactory {
  session: Session | undefined;
  stop: Stop | undefined;
  selection: Selection = {};
  panels: Panels | undefined;

  readonly #memory: vscode.Memento;
  readonly #listeners = new Map<keyof HostEvents, Set<(body: never) => void>>();
  readonly #frames = new Map<string, Frames>();
  #program: vscode.DebugSession | undefined;
  /** The id of the session that `stop` is in. */
  #stoppedIn: string | undefined;

  constructor(memory: vscode.Memento) {
    this.#memory = memory;
  }

  /** Begin to follow. */
  start(): Disposable {
    return vscode.Disposable.from(
      vscode.debug.registerDebugAdapterTrackerFactory(TYPE, this),
      vscode.debug.onDidStartDebugSession((session) => {
        this.#look(session);
      }),
      vscode.debug.onDidChangeActiveDebugSession((session) => {
        this.#look(session);
      }),
      vscode.debug.onDidTerminateDebugSession((session) => {
        this.#ended(session);
      }),
      vscode.debug.onDidChangeActiveStackItem((item) => {
        this.#lookAtFrame(item);
      }),
      vscode.debug.onDidReceiveDebugSessionCustomEvent(({ session, event, body }) => {
        const name = EVENTS[event];
        if (name && session.id === this.#program?.id) this.#emit(name, body as HostEvents[typeof name]);
      }),
    );
  }

  createDebugAdapterTracker(session: vscode.DebugSession): Frames {
    const frames = new Frames(() => {
      if (session.id === this.#stoppedIn) this.#goesOn();
    });
    this.#frames.set(session.id, frames);
    return frames;
  }

  async request<C extends Command>(command: C, args: Arguments<C>): Promise<Response<C>> {
    const ofFrame = "frameId" in args && args.frameId !== undefined;
    const session = (ofFrame ? this.#frameSession() : undefined) ?? this.#program;
    if (!session) throw new Error("no program runs under graphdebug");
    return (await session.customRequest(command, args)) as Response<C>;
  }

  on<E extends keyof HostEvents>(event: E, listener: (body: HostEvents[E]) => void): Disposable {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    listeners.add(listener);
    return { dispose: () => listeners.delete(listener) };
  }

  open(source: Source, options: { keepFocus?: boolean } = {}): void {
    const line = new vscode.Position(Math.max(source.line - 1, 0), 0);
    const uri = vscode.Uri.file(source.path);
    const shown = vscode.window.visibleTextEditors.find((editor) => editor.document.uri.fsPath === uri.fsPath);
    vscode.window
      .showTextDocument(uri, {
        selection: new vscode.Range(line, line),
        preserveFocus: options.keepFocus ?? false,
        viewColumn: shown?.viewColumn ?? columnOfText(),
      })
      .then(undefined, () => {
        void vscode.window.showWarningMessage(`${source.path} can't be opened: is it on another machine?`);
      });
  }

  openTensor(target: TensorTarget): void {
    this.panels?.openTensor(target);
  }

  openGraph(step: number, node?: number): void {
    this.panels?.openGraph(step, node);
  }

  select(selection: Selection): void {
    this.selection = selection;
    this.#emit("selection", selection);
  }

  readState(key: string): unknown {
    return this.#memory.get(`view.${key}`);
  }

  writeState(key: string, value: unknown): void {
    void this.#memory.update(`view.${key}`, value);
  }

  #look(session: vscode.DebugSession | undefined): void {
    if (session?.type !== TYPE) return;
    const program = rootOf(session);
    if (program.id === this.#program?.id) return;
    this.#program = program;
    this.#show({ id: program.id, name: program.name });
    void vscode.commands.executeCommand("setContext", "graphdebug.seen", true);
  }

  #ended(session: vscode.DebugSession): void {
    this.#frames.delete(session.id);
    if (session.id !== this.#program?.id) return;
    this.#program = undefined;
    this.#show(undefined);
  }

  #show(session: Session | undefined): void {
    this.session = session;
    this.stop = undefined;
    this.#stoppedIn = undefined;
    this.selection = {};
    this.#emit("session", session);
  }

  #lookAtFrame(item: vscode.DebugThread | vscode.DebugStackFrame | undefined): void {
    if (!(item instanceof vscode.DebugStackFrame) || item.session.type !== TYPE) return;
    this.#look(item.session);
    const stop = this.#frames.get(item.session.id)?.stop(item.threadId, item.frameId);
    if (!stop) return;
    this.stop = stop;
    this.#stoppedIn = item.session.id;
    this.#emit("stopped", stop);
  }

  #goesOn(): void {
    this.stop = undefined;
    this.#stoppedIn = undefined;
    this.#emit("continued", undefined);
  }

  /** The session of the frame that the user looks at, which is a child's where that stopped. */
  #frameSession(): vscode.DebugSession | undefined {
    const item = vscode.debug.activeStackItem;
    return item instanceof vscode.DebugStackFrame && item.session.type === TYPE ? item.session : undefined;
  }

  #emit<E extends keyof HostEvents>(event: E, body: HostEvents[E]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      (listener as (body: HostEvents[E]) => void)(body);
    }
  }
}

function rootOf(session: vscode.DebugSession): vscode.DebugSession {
  const { parentSession } = session;
  return parentSession?.type === TYPE ? rootOf(parentSession) : session;
}

/** Where text is edited: not over a graph or a tensor. */
function columnOfText(): vscode.ViewColumn {
  return vscode.window.visibleTextEditors.find((editor) => editor.viewColumn)?.viewColumn ?? vscode.ViewColumn.One;
}
