/** The right sidebar: the stop, the breakpoints, and the views below each other. */

import { SidePanel } from "@jupyterlab/ui-components";
import { type AccordionPanel, Panel, Widget } from "@lumino/widgets";

import { mount, VIEW_TITLES, type MountOptions, type ViewName } from "../../shared/src/mount";
import type { Cells } from "./cells";
import type { NotebookHost } from "./host";

/** A view as a widget. */
export class View extends Widget {
  constructor(name: ViewName, host: NotebookHost, options: MountOptions = {}) {
    super();
    this.addClass("graphdebug-view");
    this.title.label = VIEW_TITLES[name];
    const place = document.createElement("div");
    place.className = "graphdebug-place";
    place.style.cssText = "height: 100%; width: 100%;";
    this.node.append(place);
    const mounted = mount(name, place, host, options);
    this.disposed.connect(() => {
      mounted.dispose();
    });
  }
}

export class Sidebar extends Panel {
  readonly #views = new SidePanel();

  constructor(host: NotebookHost, cells: () => Cells | undefined) {
    super();
    this.id = "graphdebug-sidebar";
    this.addClass("graphdebug-sidebar");
    this.addWidget(new StopLine(host));
    this.addWidget(new BreakpointLines(host, cells));
    for (const name of ["steps", "nodes", "graph", "alerts"] as const) {
      this.#views.addWidget(new View(name, host));
    }
    this.#accordion.setRelativeSizes([3, 3, 2, 1]);
    this.addWidget(this.#views);
  }

  /** Show the graph. */
  openGraph(): void {
    this.#accordion.expand(2);
  }

  get #accordion(): AccordionPanel {
    return this.#views.content as AccordionPanel;
  }
}

/** What a stop of ours is: JupyterLab has no place for it. */
class StopLine extends Widget {
  constructor(host: NotebookHost) {
    super({ node: document.createElement("p") });
    this.addClass("graphdebug-stop");
    this.node.setAttribute("role", "status");
    host.on("stopped", (stop) => {
      const title = document.createElement("strong");
      title.textContent = stop.description ?? "";
      this.node.replaceChildren(...(stop.text ? [title, ` ${stop.text}`] : []));
    });
    for (const event of ["continued", "session"] as const) {
      host.on(event, () => {
        this.node.replaceChildren();
      });
    }
  }
}

/** What each breakpoint does: JupyterLab has no place for that either. */
class BreakpointLines extends Widget {
  constructor(host: NotebookHost, cells: () => Cells | undefined) {
    super({ node: document.createElement("ul") });
    this.addClass("graphdebug-breakpoints");
    this.node.setAttribute("aria-label", "Breakpoints");
    host.on("breakpoints", (breakpoints) => {
      const lines = breakpoints.map(({ path, line, message }) => {
        const cell = cells()?.of(path);
        const where = document.createElement("button");
        where.textContent = cell ? `cell ${String(cells()?.number(cell))}, line ${String(line)}` : `line ${String(line)}`;
        where.onclick = () => {
          host.open({ path, line });
        };
        const row = document.createElement("li");
        row.append(where, ` ${message ?? ""}`);
        return row;
      });
      this.node.replaceChildren(...lines);
    });
  }
}
