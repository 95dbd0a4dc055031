// A host over the session behind this page. `window.views` is what the tests drive.
import { mount, VIEW_TITLES } from "./index.js";

const THEMES = {
  light: {},
  dark: {
    "--vscode-foreground": "#cccccc", "--vscode-descriptionForeground": "#9d9d9d",
    "--vscode-editor-background": "#1f1f1f", "--vscode-editorWidget-background": "#252526",
    "--vscode-panel-border": "#2b2b2b", "--vscode-focusBorder": "#0078d4",
    "--vscode-textLink-foreground": "#4daafc", "--vscode-list-hoverBackground": "#2a2d2e",
    "--vscode-list-activeSelectionBackground": "#04395e", "--vscode-list-activeSelectionForeground": "#ffffff",
    "--vscode-list-inactiveSelectionBackground": "#37373d", "--vscode-input-background": "#313131",
    "--vscode-input-foreground": "#cccccc", "--vscode-input-border": "#3c3c3c",
    "--vscode-button-secondaryBackground": "#313131", "--vscode-button-secondaryForeground": "#cccccc",
    "--vscode-toolbar-hoverBackground": "#5a5d5e50", "--vscode-errorForeground": "#f85149",
    "--vscode-editorWarning-foreground": "#cca700", "--vscode-charts-blue": "#59a4f9",
    "--vscode-charts-orange": "#d18616", "--vscode-charts-green": "#89d185",
    "--vscode-charts-purple": "#ad80d7", "--vscode-charts-red": "#f14c4c",
  },
  contrast: {
    "--vscode-foreground": "#ffffff", "--vscode-descriptionForeground": "#ffffff",
    "--vscode-editor-background": "#000000", "--vscode-editorWidget-background": "#000000",
    "--vscode-contrastBorder": "#6fc3df", "--vscode-contrastActiveBorder": "#f38518",
    "--vscode-focusBorder": "#f38518", "--vscode-textLink-foreground": "#21a6ff",
    "--vscode-list-hoverBackground": "#ffffff1a", "--vscode-list-activeSelectionBackground": "#000000",
    "--vscode-list-inactiveSelectionBackground": "#000000", "--vscode-input-background": "#000000",
    "--vscode-input-foreground": "#ffffff", "--vscode-button-secondaryBackground": "#000000",
    "--vscode-button-secondaryForeground": "#ffffff", "--vscode-errorForeground": "#f48771",
    "--vscode-editorWarning-foreground": "#ffd370", "--vscode-charts-blue": "#59a4f9",
    "--vscode-charts-orange": "#d18616", "--vscode-charts-green": "#89d185",
    "--vscode-charts-purple": "#b180d7", "--vscode-charts-red": "#f14c4c",
  },
};

class LiveHost {
  session = { id: "1", name: "views.py" };
  stop = undefined;
  selection = {};
  opened = [];
  asked = [];
  #listeners = new Map();
  #state = {};

  constructor() {
    new EventSource("/events").onmessage = ({ data }) => this.#heard(JSON.parse(data));
  }

  #heard({ event, body }) {
    if (event === "stopped") {
      const { frame } = body;
      const source = { path: frame.source?.path ?? "", line: frame.line };
      this.tell("stopped", (this.stop = { ...body, ...body.graphdebug, frameId: frame.id, source }));
    } else if (event === "continued") {
      this.stop = undefined;
      this.tell("continued", undefined);
    } else if (event === "terminated") {
      this.end();
    } else {
      this.tell({ graphdebugStep: "step", graphdebugAlert: "alert", graphdebugDropped: "dropped" }[event], body);
    }
  }

  end() {
    this.session = this.stop = undefined;
    this.selection = {};
    this.tell("session", undefined);
  }

  tell(event, body) {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) listener(body);
  }

  async request(command, args) {
    this.asked.push(command);
    const answer = await (await fetch("/request", {
      method: "POST", body: JSON.stringify({ command, arguments: args }),
    })).json();
    if (answer.message !== undefined) throw new Error(answer.message);
    return answer.body;
  }

  on(event, listener) {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    listeners.add(listener);
    return { dispose: () => listeners.delete(listener) };
  }

  open(source) { this.opened.push(source); }
  openTensor(target) { this.opened.push(target); }
  openGraph(step, node) { this.opened.push({ step, node }); }
  select(selection) {
    this.selection = selection;
    this.tell("selection", selection);
  }
  readState(key) { return this.#state[key]; }
  writeState(key, value) { this.#state[key] = value; }
}

const host = new LiveHost();
let shown = [];
const blocks = [];
new PerformanceObserver((list) => blocks.push(...list.getEntries().map(({ duration }) => duration)))
  .observe({ type: "longtask", buffered: true });

window.views = {
  host,
  /** Learn where the program stands. */
  async standing() {
    const [{ id: threadId }] = (await host.request("threads", {})).threads;
    const [frame] = (await host.request("stackTrace", { threadId })).stackFrames;
    const source = { path: frame.source.path, line: frame.line };
    host.stop = { threadId, frameId: frame.id, reason: "breakpoint", source };
  },
  continue: () => host.request("continue", { threadId: host.stop.threadId }),
  blocks,
  titles: VIEW_TITLES,
  /** Show these views beside each other, each `width` wide. */
  show(names, { width = 420, height = 640, theme = "light", options = {} } = {}) {
    for (const view of shown) view.dispose();
    document.body.replaceChildren();
    const style = document.documentElement.style;
    style.cssText = "";
    for (const [name, value] of Object.entries(THEMES[theme])) style.setProperty(name, value);
    document.body.style.cssText = `display: flex; gap: 8px; margin: 0; background: ${THEMES[theme]["--vscode-editor-background"] ?? "#fff"}`;
    shown = names.map((name) => {
      const element = document.createElement("div");
      element.id = name;
      element.style.cssText = `width: ${width}px; height: ${height}px`;
      document.body.append(element);
      return mount(name, element, host, options);
    });
  },
};
