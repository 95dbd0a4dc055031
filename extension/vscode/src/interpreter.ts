/** Finds the Python interpreter to debug with, as people who use Python in VS Code expect it. */

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { promisify } from "node:util";
import * as vscode from "vscode";

const run = promisify(execFile);

const PROBE_MS = 15_000;
const LEAST = [3, 10] as const;
const VIRTUAL_ENVIRONMENTS = [".venv", "venv", "env"];
const WINDOWS = process.platform === "win32";
const REMEDY = 'choose one in the setting "graphdebug.python"';

/** The part of the Python extension's API that is used here. */
interface PythonApi {
  environments: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { path: string };
    resolveEnvironment(path: unknown): Promise<{ executable: { uri?: vscode.Uri } } | undefined>;
    onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

/** No interpreter, or one that can't be used; the message names the cause and the remedy. */
export class NoInterpreter extends Error {}

/** The interpreter for a folder, or the one that was asked for. Throws NoInterpreter. */
export async function interpreter(
  folder: vscode.WorkspaceFolder | undefined,
  wanted?: string,
): Promise<string> {
  const setting = vscode.workspace.getConfiguration("graphdebug", folder).get<string>("python");
  const named = wanted ?? setting;
  if (named) return checked(expanded(named, folder), wanted ? "the debug configuration" : "the setting graphdebug.python");
  const chosen = await choiceOfPythonExtension(folder);
  if (chosen) return checked(chosen, "the Python extension");
  const own = inFolder(folder);
  if (own) return checked(own, "the folder");
  for (const name of WINDOWS ? ["python", "py"] : ["python3", "python"]) {
    if (await version(name)) return checked(name, "PATH");
  }
  throw new NoInterpreter(`no Python was found: install Python 3.10 or newer, or ${REMEDY}`);
}

/** Tells of changes of what `interpreter` may answer. */
export function onInterpreterChange(changed: () => void): vscode.Disposable {
  const parts: vscode.Disposable[] = [
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("graphdebug.python")) changed();
    }),
  ];
  const extension = pythonExtension();
  if (extension?.isActive) parts.push(extension.exports.environments.onDidChangeActiveEnvironmentPath(changed));
  return vscode.Disposable.from(...parts);
}

function expanded(path: string, folder: vscode.WorkspaceFolder | undefined): string {
  const root = folder?.uri.fsPath ?? "";
  const filled = path.replaceAll("${workspaceFolder}", root).replace(/^~(?=[/\\])/, process.env.HOME ?? "~");
  const inFolder = /[/\\]/.test(filled) && !isAbsolute(filled) && root !== "";
  return inFolder ? resolve(root, filled) : filled;
}

function pythonExtension(): vscode.Extension<PythonApi> | undefined {
  return vscode.extensions.getExtension<PythonApi>("ms-python.python");
}

async function choiceOfPythonExtension(folder: vscode.WorkspaceFolder | undefined): Promise<string | undefined> {
  const extension = pythonExtension();
  if (!extension) return undefined;
  try {
    const { environments } = await extension.activate();
    const path = environments.getActiveEnvironmentPath(folder?.uri);
    return (await environments.resolveEnvironment(path))?.executable.uri?.fsPath;
  } catch {
    return undefined; // an extension that fails shouldn't keep ours from looking on
  }
}

function inFolder(folder: vscode.WorkspaceFolder | undefined): string | undefined {
  if (!folder) return undefined;
  const executable = WINDOWS ? join("Scripts", "python.exe") : join("bin", "python");
  return VIRTUAL_ENVIRONMENTS.map((name) => join(folder.uri.fsPath, name, executable)).find(existsSync);
}

async function checked(path: string, from: string): Promise<string> {
  const found = await version(path);
  if (!found) throw new NoInterpreter(`${path}, which ${from} names, can't be run as Python: ${REMEDY}`);
  const [major, minor] = found;
  if (major < LEAST[0] || (major === LEAST[0] && minor < LEAST[1])) {
    const least = LEAST.join(".");
    throw new NoInterpreter(
      `${path}, which ${from} names, is Python ${major}.${minor}, and graphdebug needs ${least} or newer: ${REMEDY}`,
    );
  }
  return path;
}

const versions = new Map<string, [number, number]>();

/** Major and minor version of an interpreter; undefined where it can't be run. */
async function version(path: string): Promise<[number, number] | undefined> {
  const known = versions.get(path);
  if (known) return known;
  try {
    const script = "import sys; print(*sys.version_info[:2])";
    const { stdout } = await run(path, ["-c", script], { timeout: PROBE_MS, windowsHide: true });
    const [major, minor] = stdout.trim().split(" ").map(Number);
    if (!major || minor === undefined) return undefined;
    versions.set(path, [major, minor]);
    return [major, minor];
  } catch {
    return undefined;
  }
}
