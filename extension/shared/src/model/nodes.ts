/** The nodes of one step that pass the filters. */

import type { Host } from "../host";
import type { GraphdebugNodesArguments, Node, Phase } from "../protocol";
import { Pages } from "./pages";
import type { Pulse } from "./pulse";

export interface Filters {
  phase?: Phase | undefined;
  text?: string | undefined;
  device?: string | undefined;
  path?: string | undefined;
  line?: number | undefined;
}

export class Nodes {
  readonly pages: Pages<Node>;
  #step: number | undefined;
  #filters: Filters = {};

  constructor(host: Host, pulse: Pulse) {
    this.pages = new Pages(async (start, count) => {
      if (this.#step === undefined) return { items: [], total: 0 };
      const wanted: GraphdebugNodesArguments = { step: this.#step, start, count };
      const found = await host.request("graphdebugNodes", { ...wanted, ...set(this.#filters) });
      return { items: found.nodes, total: found.total };
    }, () => pulse.changed());
  }

  get step(): number | undefined {
    return this.#step;
  }

  get filters(): Filters {
    return this.#filters;
  }

  /** Look at this step, through these filters. */
  show(step: number | undefined, filters: Filters): void {
    if (step === this.#step && JSON.stringify(filters) === JSON.stringify(this.#filters)) return;
    this.#step = step;
    this.#filters = filters;
    this.pages.clear();
    if (step !== undefined) this.pages.begin();
  }

  /** Forget the session that ended. */
  clear(): void {
    this.#step = undefined;
    this.pages.clear();
  }
}

/** Those filters that filter. */
function set(filters: Filters): Partial<GraphdebugNodesArguments> {
  return Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined && value !== ""));
}
