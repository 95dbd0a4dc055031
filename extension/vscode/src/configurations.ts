/** Debug configurations: those that are offered, and what is filled in before they are used. */

import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import * as vscode from "vscode";
import { parse } from "./environmentFile";
import { interpreter, NoInterpreter } from "./interpreter";
import type { Programs } from "./programs";

export const TYPE = "graphdebug";

type Folder = vscode.WorkspaceFolder | undefined;
type Configuration = vscode.DebugConfiguration;

/** Runs the file that is open. */
export const CURRENT_FILE: Configuration = {
  name: "graphdebug: Current File",
  type: TYPE,
  request: "launch",
  program: "${file}",
};

const ATTACH: Configuration = {
  name: "graphdebug: Attach",
  type: TYPE,
  request: "attach",
  endpoint: "${command:pickProgram}",
};

/** Fills configurations in; an answer of undefined starts nothing. */
export class Configurations implements vscode.DebugConfigurationProvider {
  readonly #programs: Programs;

  constructor(programs: Programs) {
    this.#programs = programs;
  }

  provideDebugConfigurations(): Configuration[] {
    return [CURRENT_FILE, ATTACH];
  }

  async resolveDebugConfiguration(_folder: Folder, given: Configuration): Promise<Configuration | undefined> {
    const empty = !given.type && !given.request && !given.name;
    if (empty && vscode.window.activeTextEditor?.document.languageId !== "python") {
      void vscode.window.showErrorMessage("Open the Python file to debug, or add a configuration to launch.json.");
      return undefined;
    }
    const configuration = empty ? { ...CURRENT_FILE } : { ...given };
    if (configuration.request === "attach" && !says(configuration, "endpoint", "connect", "listen", "processId")) {
      configuration.endpoint = await this.#programs.pick();
      if (configuration.endpoint === undefined) return undefined;
    }
    return configuration;
  }

  async resolveDebugConfigurationWithSubstitutedVariables(
    folder: Folder,
    given: Configuration,
  ): Promise<Configuration | undefined> {
    if (given.subProcessId !== undefined) return given; // the parent's session says it all
    try {
      return given.request === "launch" ? await launched(folder, given) : withFile(given, this.#programs.file(String(given.endpoint)));
    } catch (error) {
      void tell(error); // whoever started it waits for the answer to this, not for the user
      return undefined;
    }
  }
}

/** An address and its file were typed one after the other; a variable of launch.json holds the first alone. */
function withFile(given: Configuration, file: string | undefined): Configuration {
  return file === undefined ? given : { connectionFile: file, ...given };
}

async function launched(folder: Folder, given: Configuration): Promise<Configuration> {
  const settings = vscode.workspace.getConfiguration("graphdebug", folder);
  const configuration: Configuration = { console: settings.get<string>("console"), ...given };
  const [wanted, ...options] = [given.python ?? given.pythonPath ?? []].flat() as string[];
  configuration.python = [await interpreter(folder, wanted), ...options];
  delete configuration.pythonPath;
  configuration.cwd ??= folder?.uri.fsPath ?? (given.program ? dirname(String(given.program)) : undefined);
  if (given.envFile) {
    const text = await readFile(String(given.envFile), "utf8");
    configuration.env = { ...parse(text, process.env), ...(given.env as Record<string, string> | undefined) };
  }
  delete configuration.envFile;
  configuration.clientOS = process.platform === "win32" ? "windows" : "unix";
  return configuration;
}

function says(configuration: Configuration, ...keys: string[]): boolean {
  return keys.some((key) => configuration[key] !== undefined);
}

/** Show why nothing was started, and where that is changed. */
export async function tell(error: unknown): Promise<void> {
  const text = error instanceof Error ? error.message : String(error);
  const remedies = error instanceof NoInterpreter ? ["Open Settings"] : [];
  const answer = await vscode.window.showErrorMessage(`graphdebug: ${text}`, { modal: false }, ...remedies);
  if (answer) await vscode.commands.executeCommand("workbench.action.openSettings", "graphdebug.python");
}
