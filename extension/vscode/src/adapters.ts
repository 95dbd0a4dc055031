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
  connectionFile?: string;
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
    const { request, connect, endpoint, connectionFile } = configuration as Launch;
    const { debugAdapterPython, python: program } = configuration as Launch;
    // A child process of the program's comes here too: debugpy names its port.
    if (request === "attach" && connect) {
      return new vscode.DebugAdapterServer(Number(connect.port), connect.host ?? "127.0.0.1");
    }
    const python = await interpreter(workspaceFolder, debugAdapterPython ?? [program].flat()[0]);
    const joins = request === "attach" && endpoint !== undefined;
    const words = joins ? joining(String(endpoint), connectionFile) : ["adapter"];
    if (configuration.logToFile && !joins) words.push("--log-dir", await this.#logDirectory());
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

/** The job has an adapter already; this one passes on what is said. */
function joining(endpoint: string, connectionFile: string | undefined): string[] {
  const file = connectionFile === undefined ? [] : ["--connection-file", connectionFile];
  return ["attach", "--adapter", ...file, endpoint];
}
