/** The views' entry point: `mount` shows one of them in an element of the host's page. */

import { render, type JSX } from "preact";

import type { Disposable, Host, TensorTarget } from "./host";
import { Observed } from "./model/observed";
import { STYLE } from "./theme";
import { AlertsView } from "./view/alerts";
import { GraphView } from "./view/graph";
import { NodesView } from "./view/nodes";
import { Steps } from "./view/steps";
import { TensorView } from "./view/tensor";

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
 * fonts come through the custom properties that `theme.ts` lists.
 */
export function mount(
  view: ViewName,
  element: HTMLElement,
  host: Host,
  options: MountOptions = {},
): Disposable {
  const root = element.shadowRoot ?? element.attachShadow({ mode: "open" });
  const style = new CSSStyleSheet();
  style.replaceSync(STYLE);
  root.adoptedStyleSheets = [style];
  const observed = new Observed(host);
  render(content(view, observed, options), root);
  return {
    dispose: () => {
      render(null, root);
      observed.dispose();
    },
  };
}

function content(view: ViewName, of: Observed, options: MountOptions): JSX.Element {
  switch (view) {
    case "steps":
      return <Steps of={of} />;
    case "nodes":
      return <NodesView of={of} />;
    case "alerts":
      return <AlertsView of={of} />;
    case "tensor":
      return <TensorView of={of} target={options.target} />;
    case "graph":
      return <GraphView of={of} />;
  }
}
