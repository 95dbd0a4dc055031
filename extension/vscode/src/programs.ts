/** The programs of this machine that can be attached to, as `graphdebug ps` lists them. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import * as vscode from "vscode";
import type { Command } from "./command";
import { interpreter } from "./interpreter";

const run = promisify(execFile);
const PS_MS = 20_000;
/** Endpoints that no token has to be named for: it comes through ssh, or the process is this machine's. */
const FINDS_TOKEN = /^(ssh:|\d+$)/;

/** A line of `graphdebug ps --json`, as far as it's shown. */
interface Program {
  pid: number;
  program: string;
  endpoint: string;
  ranks: { ended?: boolean; steps?: number }[];
}

export class Programs {
  readonly #command: Command;
  /** Jobs' files, by the addresses that were typed with them. */
  readonly #files = new Map<string, string>();

  constructor(command: Command) {
    this.#command = command;
  }

  /** The job's file that the user named with an address; undefined where there was none. */
  file(endpoint: string): string | undefined {
    return this.#files.get(endpoint);
  }

  /** What the user chose: a process id, or an endpoint that was typed; undefined for neither. */
  async pick(): Promise<string | undefined> {
    const typed = { label: "$(edit) Type where it listens...", description: "HOST:PORT, unix:PATH, ssh://HOST" };
    const items = this.#list().then((programs) => [
      ...programs.map(({ pid, program, endpoint, ranks }) => ({
        label: program,
        description: `process ${pid}, ${count(ranks.filter(({ ended }) => !ended).length, "rank")}`,
        detail: endpoint,
        pid,
      })),
      { ...typed, pid: undefined },
    ]);
    const chosen = await vscode.window.showQuickPick(items, {
      title: "Attach to a program that runs under graphdebug",
      placeHolder: "started with `graphdebug run --listen`, or under a debug session",
      matchOnDescription: true,
      matchOnDetail: true,
    });
    if (!chosen) return undefined;
    if (chosen.pid !== undefined) return String(chosen.pid);
    return this.#type(typed.description);
  }

  async #type(forms: string): Promise<string | undefined> {
    const endpoint = await vscode.window.showInputBox({ title: "Where the program listens", placeHolder: forms });
    if (!endpoint || FINDS_TOKEN.test(endpoint)) return endpoint;
    const file = await vscode.window.showInputBox({
      title: "The job's file, copied from the machine that it runs on: it has the token",
      placeHolder: "path of the file; nothing for a job of this machine",
    });
    if (file) this.#files.set(endpoint, file);
    else this.#files.delete(endpoint);
    return file === undefined ? undefined : endpoint;
  }

  async #list(): Promise<Program[]> {
    const python = await interpreter(vscode.workspace.workspaceFolders?.[0]);
    const { command, args } = this.#command.line(python, "ps", "--json");
    const { stdout } = await run(command, args, { timeout: PS_MS });
    const lines = stdout.split("\n").filter((line) => line.trim() !== "");
    return lines.map((line) => JSON.parse(line) as Program);
  }
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
