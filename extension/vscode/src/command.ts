/** How graphdebug is started: the copy that the extension brings along, under the user's interpreter. */

import { join } from "node:path";
import type * as vscode from "vscode";

/** A program and its arguments. */
export interface CommandLine {
  command: string;
  args: string[];
}

/** Puts together the command lines of graphdebug's subcommands. */
export class Command {
  readonly #entry: string;

  constructor(extension: vscode.Uri) {
    this.#entry = join(extension.fsPath, "build", "vscode", "python", "entry.py");
  }

  /** `graphdebug ...args` under `interpreter`. */
  line(interpreter: string, ...args: string[]): CommandLine {
    return { command: interpreter, args: [this.#entry, ...args] };
  }
}
