/** Shows at its line what a breakpoint will do, where it doesn't just stop each time. */

import type { DebugProtocol } from "@vscode/debugprotocol";
import * as vscode from "vscode";
import { TYPE } from "./configurations";
import type { Languages } from "./languageClient";

const QUIET_MS = 60;
const LONGEST = 64;
const KINDS = ["boundary", "node", "never"] as const;

type Kind = (typeof KINDS)[number];

/** What one breakpoint does; its line counts from 1. */
interface Binding {
  line: number;
  /** Begins with the kind and a colon. */
  message: string;
}

/** While a program is debugged the adapter says what breakpoints do, else the language server. */
export class Bindings implements vscode.DebugAdapterTrackerFactory {
  readonly #languages: Languages;
  readonly #styles: Record<Kind, vscode.TextEditorDecorationType>;
  readonly #sessions = new Map<string, SessionBindings>();
  #timer: NodeJS.Timeout | undefined;

  constructor(languages: Languages, extension: vscode.Uri) {
    this.#languages = languages;
    this.#styles = {
      boundary: style("boundary", extension),
      node: style("node", extension),
      never: style("never", extension),
    };
  }

  start(): vscode.Disposable {
    const soon = (): void => {
      this.#soon();
    };
    soon();
    return vscode.Disposable.from(
      ...Object.values(this.#styles),
      vscode.debug.registerDebugAdapterTrackerFactory(TYPE, this),
      vscode.debug.onDidChangeBreakpoints(soon),
      vscode.debug.onDidChangeActiveDebugSession(soon),
      vscode.debug.onDidTerminateDebugSession(({ id }) => {
        if (this.#sessions.delete(id)) soon();
      }),
      vscode.window.onDidChangeVisibleTextEditors(soon),
      // The language server's findings come with its diagnostics.
      vscode.languages.onDidChangeDiagnostics(soon),
      vscode.workspace.onDidChangeConfiguration(soon),
      new vscode.Disposable(() => {
        clearTimeout(this.#timer);
      }),
    );
  }

  createDebugAdapterTracker(session: vscode.DebugSession): SessionBindings {
    const bindings = new SessionBindings(() => {
      this.#soon();
    });
    this.#sessions.set(session.id, bindings);
    return bindings;
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#showAll();
    }, QUIET_MS);
  }

  async #showAll(): Promise<void> {
    const editors = vscode.window.visibleTextEditors.filter(({ document }) => document.languageId === "python");
    await Promise.all(editors.map((editor) => this.#show(editor)));
  }

  async #show(editor: vscode.TextEditor): Promise<void> {
    const { document } = editor;
    const wanted = vscode.workspace.getConfiguration("graphdebug").get<boolean>("breakpointText");
    const bindings = wanted ? await this.#of(document) : [];
    for (const kind of KINDS) {
      const own = bindings.filter(({ message, line }) => message.startsWith(`${kind}:`) && line <= document.lineCount);
      const shown = own.map(({ line, message }) => decoration(document.lineAt(line - 1).range, message));
      editor.setDecorations(this.#styles[kind], shown);
    }
  }

  async #of(document: vscode.TextDocument): Promise<Binding[]> {
    const { activeDebugSession } = vscode.debug;
    const running = activeDebugSession && this.#sessions.get(activeDebugSession.id)?.in(document.uri.fsPath);
    if (running) return running;
    const lines = vscode.debug.breakpoints
      .filter((breakpoint) => breakpoint instanceof vscode.SourceBreakpoint)
      .filter(({ enabled, location }) => enabled && location.uri.toString() === document.uri.toString())
      .map(({ location }) => location.range.start.line + 1);
    if (lines.length === 0) return [];
    const params = { textDocument: { uri: document.uri.toString() }, lines };
    return (await this.#languages.ask<Binding[]>("graphdebug/bindings", params)) ?? [];
  }
}

/** What one session's adapter said of its breakpoints. */
class SessionBindings implements vscode.DebugAdapterTracker {
  readonly #changed: () => void;
  readonly #asked = new Map<number, string>();
  readonly #files = new Map<string, DebugProtocol.Breakpoint[]>();

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** A file's; undefined where the session was told of none in it. */
  in(path: string): Binding[] | undefined {
    return this.#files.get(path)?.flatMap(({ line, message }) => (line && message ? [{ line, message }] : []));
  }

  onWillReceiveMessage(message: DebugProtocol.ProtocolMessage): void {
    const request = message as DebugProtocol.SetBreakpointsRequest;
    if (request.command !== "setBreakpoints") return;
    const { path } = request.arguments.source;
    if (path) this.#asked.set(request.seq, path);
  }

  onDidSendMessage(message: DebugProtocol.ProtocolMessage): void {
    const { command, request_seq, success, body } = message as DebugProtocol.SetBreakpointsResponse;
    if (command === "setBreakpoints") {
      const path = this.#asked.get(request_seq);
      this.#asked.delete(request_seq);
      if (path && success) this.#files.set(path, body.breakpoints);
      this.#changed();
    } else if ((message as DebugProtocol.Event).event === "breakpoint") {
      this.#correct((message as DebugProtocol.BreakpointEvent).body.breakpoint);
    }
  }

  #correct(breakpoint: DebugProtocol.Breakpoint): void {
    for (const breakpoints of this.#files.values()) {
      const at = breakpoints.findIndex(({ id }) => id !== undefined && id === breakpoint.id);
      if (at >= 0) breakpoints[at] = { ...breakpoints[at], ...breakpoint };
    }
    this.#changed();
  }
}

function style(kind: Kind, extension: vscode.Uri): vscode.TextEditorDecorationType {
  const color = new vscode.ThemeColor(`graphdebug.${kind}`);
  return vscode.window.createTextEditorDecorationType({
    gutterIconPath: vscode.Uri.joinPath(extension, "extension", "vscode", "media", `${kind}.svg`),
    gutterIconSize: "contain",
    overviewRulerColor: color,
    overviewRulerLane: vscode.OverviewRulerLane.Left,
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
    after: { color, margin: "0 0 0 2em", fontStyle: "italic" },
  });
}

function decoration(range: vscode.Range, message: string): vscode.DecorationOptions {
  const hoverMessage = new vscode.MarkdownString(undefined, true);
  hoverMessage.appendMarkdown("$(debug-breakpoint) ").appendText(message);
  return { range, hoverMessage, renderOptions: { after: { contentText: shortened(message) } } };
}

/** The first clause, or as much of it as fits beside the code. */
function shortened(message: string): string {
  const [kind, first = ""] = message.split(/: |; |, since |\. /);
  const clause = `${kind}: ${first}`;
  return clause.length <= LONGEST ? clause : `${clause.slice(0, LONGEST - 1).trimEnd()}…`;
}
