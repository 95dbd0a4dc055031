/** Starts the debug adapter of a session, or finds the one that a configuration names. */

import { mkdir } from "node:fs/promises";
import * as vscode from "vscode";
import type { Command } from "./command";
import { interpreter } from "./interpreter";

/** What of a configuration says where the adapter is, and what runs it. */
interface Launch {
  request: string;
  python?: string | string[];
  debugAdapterPython?: string;
  connect?: { host?: string; port: number | string };
  endpoint?: string | number;
}

export class Adapters implements vscode.DebugAdapterDescriptorFactory {
  readonly #command: Command;
  readonly #logs: vscode.Uri;
  readonly #output: vscode.LogOutputChannel;

  constructor(command: Command, logs: vscode.Uri, output: vscode.LogOutputChannel) {
    this.#command = command;
    this.#logs = logs;
    this.#output = output;
  }

  async createDebugAdapterDescriptor(session: vscode.DebugSession): Promise<vscode.DebugAdapterDescriptor> {
    const { configuration, workspaceFolder } = session;
    const { request, connect, endpoint, debugAdapterPython, python: program } = configuration as Launch;
    // A child process of the program's comes here too: debugpy names its port.
    if (request === "attach" && connect) {
      return new vscode.DebugAdapterServer(Number(connect.port), connect.host ?? "127.0.0.1");
    }
    const python = await interpreter(workspaceFolder, debugAdapterPython ?? [program].flat()[0]);
    const words = request === "attach" && endpoint !== undefined ? ["attach", "--adapter"] : ["adapter"];
    if (configuration.logToFile) words.push("--log-dir", await this.#logDirectory());
    if (words[0] === "attach") words.push(String(endpoint));
    const { command, args } = this.#command.line(python, ...words);
    this.#output.info(`${session.name}: ${[command, ...args].join(" ")}`);
    return new vscode.DebugAdapterExecutable(command, args);
  }

  async #logDirectory(): Promise<string> {
    await mkdir(this.#logs.fsPath, { recursive: true });
    this.#output.info(`messages are logged in ${this.#logs.fsPath}`);
    return this.#logs.fsPath;
  }
}
