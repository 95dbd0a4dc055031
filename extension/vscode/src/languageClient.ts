/** Runs the language server for the window, and says again what it says. */

import * as vscode from "vscode";
import { LanguageClient } from "vscode-languageclient/node";
import type { Command } from "./command";
import { interpreter, NoInterpreter, onInterpreterChange } from "./interpreter";

/** Started where an interpreter is found, and again where another one is chosen. */
export class Languages {
  readonly #command: Command;
  readonly #output: vscode.LogOutputChannel;
  #client: LanguageClient | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(command: Command, output: vscode.LogOutputChannel) {
    this.#command = command;
    this.#output = output;
  }

  start(): vscode.Disposable {
    void this.restart();
    return vscode.Disposable.from(
      onInterpreterChange(() => void this.restart()),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration("graphdebug.languageServer")) void this.restart();
      }),
    );
  }

  /** The answer to a request of ours; undefined where no server runs. */
  async ask<T>(method: string, params: unknown): Promise<T | undefined> {
    await this.#turn;
    return this.#client?.isRunning() ? this.#client.sendRequest<T>(method, params) : undefined;
  }

  /** One at a time: a server that starts is ended only once it runs. */
  restart(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#startAgain());
    return this.#turn;
  }

  async stop(): Promise<void> {
    await this.#turn;
    await this.#client?.dispose();
    this.#client = undefined;
  }

  async #startAgain(): Promise<void> {
    await this.#client?.dispose();
    this.#client = undefined;
    if (!vscode.workspace.getConfiguration("graphdebug").get<boolean>("languageServer")) return;
    try {
      const python = await interpreter(vscode.workspace.workspaceFolders?.[0]);
      const client = new LanguageClient("graphdebug", "graphdebug", this.#command.line(python, "language-server"), {
        documentSelector: [{ language: "python", scheme: "file" }],
        outputChannel: this.#output,
        middleware: {
          // At a stop they'd stand beside the inlay hints of the same lines, and say the same.
          provideInlineValues: (document, range, context, token, next) =>
            hintsAreShown(document) ? [] : next(document, range, context, token),
        },
      });
      await client.start();
      this.#client = client;
    } catch (error) {
      // Nobody asked for anything yet; debugging says it where it's asked for.
      const text = error instanceof NoInterpreter ? error.message : String(error);
      this.#output.warn(`the language server doesn't run: ${text}`);
    }
  }
}

function hintsAreShown(document: vscode.TextDocument): boolean {
  return vscode.workspace.getConfiguration("editor", document).get("inlayHints.enabled") !== "off";
}
