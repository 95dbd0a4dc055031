/** The views' entry point: `mount` shows one of them in an element of the host's page. */

import type { Disposable, Host, TensorTarget } from "./host";

export type ViewName = "steps" | "nodes" | "graph" | "alerts" | "tensor";

export const VIEW_NAMES: readonly ViewName[] = ["steps", "nodes", "graph", "alerts", "tensor"];

export const VIEW_TITLES: Readonly<Record<ViewName, string>> = {
  steps: "Steps",
  nodes: "Nodes",
  graph: "Graph",
  alerts: "Alerts",
  tensor: "Tensor",
};

export interface MountOptions {
  /** Of the view "tensor": what it shows first. */
  target?: TensorTarget;
}

/**
 * Show a view in `element`, which it fills. The element needs a size of its own. What the view draws
 * is in the element's shadow tree, so that styles of the page and of the view don't meet; colours and
 * fonts come through the custom properties `--gd-*`, which `theme.ts` lists and maps.
 */
export function mount(
  view: ViewName,
  element: HTMLElement,
  host: Host,
  options: MountOptions = {},
): Disposable {
  const root = element.shadowRoot ?? element.attachShadow({ mode: "open" });
  const place = document.createElement("section");
  place.setAttribute("aria-label", VIEW_TITLES[view]);
  root.replaceChildren(place);
  place.textContent = options.target?.kind ?? host.session?.name ?? "No session.";
  return { dispose: () => root.replaceChildren() };
}
