/** Puts a view into a webview, and connects it to the host. */

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import { expose, type Disposable, type Host, type Port, type TensorTarget, type ViewName } from "../../shared/src/index";

const BATCH_MS = 30;

/** Options of every webview of ours. */
export function options(extension: vscode.Uri): vscode.WebviewOptions {
  return { enableScripts: true, localResourceRoots: [vscode.Uri.joinPath(extension, "build", "vscode", "page")] };
}

/** Show a view; until what it returns is disposed of, or the webview is. */
export function show(
  webview: vscode.Webview,
  extension: vscode.Uri,
  host: Host,
  view: ViewName,
  target?: TensorTarget,
): Disposable {
  const port = new WebviewPort(webview);
  const connection = expose(host, port);
  webview.html = html(webview, extension, view, target);
  return vscode.Disposable.from(connection, port);
}

/** Messages to a webview, several at once: each post costs the page a task of its own. */
class WebviewPort implements Port {
  readonly #webview: vscode.Webview;
  #waiting: unknown[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(webview: vscode.Webview) {
    this.#webview = webview;
  }

  post(message: unknown): void {
    this.#waiting.push(message);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const messages = this.#waiting;
      this.#waiting = [];
      void this.#webview.postMessage(messages);
    }, BATCH_MS);
  }

  receive(listener: (message: unknown) => void): Disposable {
    return this.#webview.onDidReceiveMessage(listener);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#waiting = [];
  }
}

function html(webview: vscode.Webview, extension: vscode.Uri, view: ViewName, target?: TensorTarget): string {
  const script = webview.asWebviewUri(vscode.Uri.joinPath(extension, "build", "vscode", "page", "page.js"));
  const nonce = randomBytes(16).toString("base64");
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}' ${webview.cspSource}`,
    `style-src ${webview.cspSource} 'nonce-${nonce}'`,
    `img-src ${webview.cspSource} data: blob:`,
    "worker-src blob:",
  ].join("; ");
  const target_ = JSON.stringify(target ?? null).replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<style nonce="${nonce}">html, body, main { height: 100%; margin: 0; padding: 0; } main { display: block; }</style>
</head>
<body>
<main data-view="${view}" data-target="${target_}"></main>
<script type="module" nonce="${nonce}" src="${script.toString()}"></script>
</body>
</html>`;
}
