/** The page in each webview: mounts the view that the page names. */

import { connect, mount, type Port, type TensorTarget, type ViewName } from "../../shared/src/index";

declare function acquireVsCodeApi(): { postMessage(message: unknown): void };

const editor = acquireVsCodeApi();

const port: Port = {
  post: (message) => {
    editor.postMessage(message);
  },
  receive: (listener) => {
    const several = (event: MessageEvent<unknown>): void => {
      if (Array.isArray(event.data)) for (const message of event.data) listener(message);
    };
    window.addEventListener("message", several);
    return {
      dispose: () => {
        window.removeEventListener("message", several);
      },
    };
  },
};

async function show(): Promise<void> {
  const place = document.querySelector("main");
  if (!place) return;
  const { view, target } = place.dataset;
  const wanted = JSON.parse(target ?? "null") as TensorTarget | null;
  mount(view as ViewName, place, await connect(port), wanted ? { target: wanted } : {});
}

void show();
