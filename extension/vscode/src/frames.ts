/** Watches what adapters and editor say to each other: where threads stopped, and which lines frames are at. */

import type { DebugProtocol } from "@vscode/debugprotocol";
import * as vscode from "vscode";
import type { Source, Stop, StoppedPlace } from "../../shared/src/index";

const MOST_FRAMES = 2000;

type Message = DebugProtocol.ProtocolMessage;

/** One session's: forgotten when its program goes on. */
export class Frames implements vscode.DebugAdapterTracker {
  readonly #sources = new Map<number, Source>();
  readonly #stops = new Map<number, DebugProtocol.StoppedEvent["body"]>();
  readonly #continued: () => void;
  #newest: DebugProtocol.StoppedEvent["body"] | undefined;

  constructor(continued: () => void) {
    this.#continued = continued;
  }

  onDidSendMessage(message: Message): void {
    if (message.type === "event") this.#event(message as DebugProtocol.Event);
    else if (message.type === "response") this.#response(message as DebugProtocol.Response);
  }

  /** The stop that a frame belongs to; undefined where its thread runs. */
  stop(threadId: number, frameId: number): Stop | undefined {
    const body = this.#stops.get(threadId) ?? (this.#newest?.allThreadsStopped ? this.#newest : undefined);
    if (!body) return undefined;
    const { reason, description, text } = body;
    const { step, node } = (body as { graphdebug?: StoppedPlace }).graphdebug ?? {};
    return { threadId, frameId, reason, description, text, source: this.#sources.get(frameId), step, node };
  }

  #event(event: DebugProtocol.Event): void {
    if (event.event === "stopped") {
      const { body } = event as DebugProtocol.StoppedEvent;
      this.#newest = body;
      if (body.threadId !== undefined) this.#stops.set(body.threadId, body);
    } else if (event.event === "continued") {
      const { allThreadsContinued, threadId } = (event as DebugProtocol.ContinuedEvent).body;
      this.#goesOn(allThreadsContinued === false ? threadId : undefined);
    }
  }

  #response({ command, success, body }: DebugProtocol.Response): void {
    if (!success) return;
    if (command === "stackTrace") this.#know((body as DebugProtocol.StackTraceResponse["body"]).stackFrames);
    else if (command === "continue") this.#goesOn(undefined);
  }

  #know(frames: DebugProtocol.StackFrame[]): void {
    if (this.#sources.size > MOST_FRAMES) this.#sources.clear();
    for (const { id, line, name, source } of frames) {
      if (source?.path) this.#sources.set(id, { path: source.path, line, function: name });
    }
  }

  #goesOn(threadId: number | undefined): void {
    if (threadId === undefined) this.#stops.clear();
    else this.#stops.delete(threadId);
    if (this.#stops.size === 0) {
      this.#newest = undefined;
      this.#sources.clear();
      this.#continued();
    }
  }
}
