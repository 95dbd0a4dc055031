/** The views in the debug sidebar, and the panels of graphs and tensors. */

import * as vscode from "vscode";
import { VIEW_TITLES, type TensorTarget, type ViewName } from "../../shared/src/index";
import type { Follower, Panels } from "./follower";
import { options, show } from "./page";

const SIDEBAR: readonly ViewName[] = ["steps", "nodes", "alerts"];

/** Shows each view where it belongs. */
export class Views implements Panels {
  readonly #extension: vscode.Uri;
  readonly #host: Follower;
  readonly #tensors = new Map<string, vscode.WebviewPanel>();
  #graph: vscode.WebviewPanel | undefined;

  constructor(extension: vscode.Uri, host: Follower) {
    this.#extension = extension;
    this.#host = host;
  }

  /** Offer the sidebar's views. */
  start(): vscode.Disposable {
    return vscode.Disposable.from(
      ...SIDEBAR.map((view) =>
        vscode.window.registerWebviewViewProvider(`graphdebug.${view}`, {
          resolveWebviewView: ({ webview, onDidDispose }) => {
            webview.options = options(this.#extension);
            const shown = show(webview, this.#extension, this.#host, view);
            onDidDispose(() => {
              shown.dispose();
            });
          },
        }),
      ),
    );
  }

  openGraph(step: number, node?: number): void {
    this.#host.select({ step, node });
    this.showGraph();
  }

  /** The graph of the chosen step, or of the newest one. */
  showGraph(): void {
    this.#graph ??= this.#panel("graph", VIEW_TITLES.graph, undefined, () => {
      this.#graph = undefined;
    });
    this.#graph.reveal(undefined, true);
  }

  openTensor(target: TensorTarget): void {
    const key = JSON.stringify(target.kind === "expression" ? target.expression : target);
    const known = this.#tensors.get(key);
    if (known) {
      known.reveal(undefined, true);
      return;
    }
    const panel = this.#panel("tensor", title(target), target, () => {
      this.#tensors.delete(key);
    });
    this.#tensors.set(key, panel);
  }

  #panel(view: ViewName, name: string, target: TensorTarget | undefined, closed: () => void): vscode.WebviewPanel {
    const place = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
    const panel = vscode.window.createWebviewPanel(`graphdebug.${view}`, name, place, options(this.#extension));
    panel.iconPath = vscode.Uri.joinPath(this.#extension, "extension", "vscode", "media", "view.svg");
    const shown = show(panel.webview, this.#extension, this.#host, view, target);
    panel.onDidDispose(() => {
      shown.dispose();
      closed();
    });
    return panel;
  }
}

function title(target: TensorTarget): string {
  if (target.kind === "expression") return target.expression;
  const which = target.kind === "output" ? target.output : target.input;
  return `step ${target.step}, node ${target.node}, ${target.kind} ${which}`;
}
