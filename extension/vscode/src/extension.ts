/** The extension: puts its parts together. */

import * as vscode from "vscode";
import { Adapters } from "./adapters";
import { Bindings } from "./bindings";
import { Command } from "./command";
import { Configurations, CURRENT_FILE, tell, TYPE } from "./configurations";
import { Follower } from "./follower";
import { Languages } from "./languageClient";
import { Programs } from "./programs";
import { viewTensor } from "./tensors";
import { Views } from "./views";

let languages: Languages | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const output = vscode.window.createOutputChannel("graphdebug", { log: true });
  const command = new Command(context.extensionUri);
  const programs = new Programs(command);
  const configurations = new Configurations(programs);
  const host = new Follower(context.workspaceState);
  const views = new Views(context.extensionUri, host);
  host.panels = views;
  languages = new Languages(command, output);
  const bindings = new Bindings(languages, context.extensionUri);
  const { Dynamic } = vscode.DebugConfigurationProviderTriggerKind;

  context.subscriptions.push(
    output,
    vscode.debug.registerDebugConfigurationProvider(TYPE, configurations),
    vscode.debug.registerDebugConfigurationProvider(TYPE, configurations, Dynamic),
    vscode.debug.registerDebugAdapterDescriptorFactory(TYPE, new Adapters(command, context.logUri, output)),
    host.start(),
    views.start(),
    languages.start(),
    bindings.start(),
    ...commands({
      debugFile: () => void debug(CURRENT_FILE),
      attach: () => void debug({ name: "graphdebug: Attach", type: TYPE, request: "attach" }),
      pickProgram: () => programs.pick().catch(tell),
      showGraph: () => {
        views.showGraph();
      },
      viewTensor: (item: unknown) => {
        viewTensor(host, item);
      },
      restartLanguageServer: () => languages?.restart(),
      showOutput: () => {
        output.show();
      },
    }),
  );
}

export function deactivate(): Promise<void> | undefined {
  return languages?.stop();
}

function commands(handlers: Record<string, (item: unknown) => unknown>): vscode.Disposable[] {
  return Object.entries(handlers).map(([name, handler]) =>
    vscode.commands.registerCommand(`graphdebug.${name}`, handler),
  );
}

async function debug(configuration: vscode.DebugConfiguration): Promise<void> {
  const document = vscode.window.activeTextEditor?.document.uri;
  const folder = document && vscode.workspace.getWorkspaceFolder(document);
  await vscode.debug.startDebugging(folder ?? vscode.workspace.workspaceFolders?.[0], configuration);
}
