/** graphdebug in JupyterLab: the steps, nodes, shapes and devices of the notebook in front. */

import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette, InputDialog, MainAreaWidget } from "@jupyterlab/apputils";
import { PageConfig } from "@jupyterlab/coreutils";
import { IDebugger } from "@jupyterlab/debugger";
import { INotebookTracker, NotebookActions, type NotebookPanel } from "@jupyterlab/notebook";
import { ISettingRegistry } from "@jupyterlab/settingregistry";

import type { TensorTarget } from "../../shared/src/host";
import type { Configuration, Source } from "../../shared/src/protocol";
import { Cells } from "./cells";
import { DebuggerSide } from "./debugger";
import { NotebookHost, type Surroundings } from "./host";
import { icon } from "./icon";
import { Sidebar, View } from "./sidebar";
import { RecordingToggle } from "./toggle";

const ID = "@graphdebug/jupyterlab:plugin";
const INSPECT = "graphdebug:show-tensor";

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: "Steps, nodes, shapes and devices of deep-learning programs beside their notebook.",
  autoStart: true,
  requires: [INotebookTracker],
  optional: [IDebugger, ISettingRegistry, ILayoutRestorer, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    service: IDebugger | null,
    registry: ISettingRegistry | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
  ) => {
    const part = new Plugin(app, tracker, service);
    app.commands.addCommand(INSPECT, {
      label: "graphdebug: Show Tensor…",
      caption: "Statistics and values of an expression in the stopped frame, or in the idle kernel",
      describedBy: { args: { type: "object", properties: { expression: { type: "string" } } } },
      execute: ({ expression }) => part.inspect(expression as string | undefined),
    });
    palette?.addItem({ command: INSPECT, category: "graphdebug" });
    app.shell.add(part.sidebar, "right", { rank: 850 });
    restorer?.add(part.sidebar, part.sidebar.id);
    if (registry) void part.follow(registry);
  },
};

export default plugin;

class Plugin implements Surroundings {
  readonly sidebar: Sidebar;
  readonly #host: NotebookHost;
  readonly #debugger: DebuggerSide | undefined;
  readonly #cells = new WeakMap<NotebookPanel, Cells>();
  #settings: Partial<Configuration> = {};
  #tensor: MainAreaWidget<View> | undefined;

  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly tracker: INotebookTracker,
    service: IDebugger | null,
  ) {
    this.#host = new NotebookHost(app.serviceManager.serverSettings, this);
    this.sidebar = new Sidebar(this.#host, () => this.#front);
    this.sidebar.title.icon = icon;
    this.sidebar.title.caption = "graphdebug: steps of the notebook in front";
    this.#debugger = service ? new DebuggerSide(service, this.#host, () => this.#front) : undefined;
    tracker.widgetAdded.connect((_, panel) => {
      this.#cells.set(panel, new Cells(panel));
      panel.sessionContext.kernelChanged.connect(() => {
        this.#look();
      });
      panel.content.model?.contentChanged.connect(() => this.#debugger?.tellBreakpoints());
    });
    tracker.currentChanged.connect(() => {
      this.#look();
    });
    NotebookActions.executionScheduled.connect((_, { notebook, cell }) => {
      const panel = tracker.find((item) => item.content === notebook);
      if (panel) this.#cells.get(panel)?.runs(cell);
    });
    this.#host.on("configuration", () => {
      this.#configure();
    });
    app.docRegistry.addWidgetExtension("Notebook", new RecordingToggle(this.#host, () => {
      this.#toggle();
    }));
  }

  /** Record what the settings say, from now on and in each kernel that is looked at. */
  async follow(registry: ISettingRegistry): Promise<void> {
    const settings = await registry.load(ID);
    const changed = () => {
      this.#settings = settings.composite as Partial<Configuration>;
      this.#configure();
    };
    settings.changed.connect(changed);
    changed();
  }

  name(path: string): string | undefined {
    const front = this.#front;
    const cell = front?.of(path);
    return front && cell ? `cell ${String(front.number(cell))}` : undefined;
  }

  open(source: Source, keepFocus: boolean): void {
    const front = this.#front;
    const cell = front?.of(source.path);
    if (front && cell) {
      this.app.shell.activateById(front.panel.id);
      void front.show(cell, source, !keepFocus);
    } else void this.#openFile(source);
  }

  openTensor(target: TensorTarget): void {
    if (!this.#tensor || this.#tensor.isDisposed) {
      this.#tensor = new MainAreaWidget({ content: new View("tensor", this.#host, { target }) });
      this.#tensor.id = "graphdebug-tensor";
      this.#tensor.title.label = "Tensor";
      this.#tensor.title.icon = icon;
      this.#tensor.title.closable = true;
      this.app.shell.add(this.#tensor, "main", { mode: "split-right", activate: false });
    }
    this.app.shell.activateById(this.#tensor.id);
  }

  /** Show the tensor that an expression is; the user is asked for one where none is given. */
  async inspect(given: string | undefined): Promise<void> {
    const label = "A tensor, as an expression";
    const expression = given ?? (await InputDialog.getText({ title: "Show Tensor", label })).value;
    if (expression) this.#host.openTensor({ kind: "expression", expression });
  }

  openGraph(): void {
    this.app.shell.activateById(this.sidebar.id);
    this.sidebar.openGraph();
  }

  async evaluate(expression: string, frameId: number | undefined): Promise<void> {
    if (this.#debugger?.standing) return this.#debugger.evaluate(expression, frameId);
    const kernel = this.#front?.panel.sessionContext.session?.kernel;
    if (!kernel) throw new Error("There is no kernel.");
    const asked = kernel.requestExecute({
      code: "", silent: true, store_history: false, allow_stdin: false,
      user_expressions: { asked: expression },
    });
    const { content } = await asked.done;
    const answers = content.status === "ok" ? (content.user_expressions as Record<string, { status: string; evalue?: string }>) : {};
    if (answers["asked"]?.status !== "ok") throw new Error(answers["asked"]?.evalue ?? "The kernel doesn't evaluate that.");
  }

  get #front(): Cells | undefined {
    const panel = this.tracker.currentWidget;
    return panel ? this.#cells.get(panel) : undefined;
  }

  #look(): void {
    const panel = this.tracker.currentWidget;
    this.#host.look(panel?.sessionContext.session?.kernel?.id, panel?.title.label ?? "");
    this.#debugger?.tellBreakpoints();
  }

  /** Let the kernel in front record what the settings say, if its notebook's button is pressed. */
  #configure(): void {
    const { configuration, link } = this.#host;
    if (!configuration || !link || configuration.capture === "off") return;
    const wanted = { ...configuration, ...this.#settings };
    if (JSON.stringify(wanted) !== JSON.stringify(configuration)) void link.configure(wanted);
  }

  #toggle(): void {
    const { configuration, link } = this.#host;
    if (!configuration || !link) return;
    const on = this.#settings.capture === "off" ? "nodes" : (this.#settings.capture ?? "nodes");
    void link.configure({ ...configuration, capture: configuration.capture === "off" ? on : "off" });
  }

  async #openFile(source: Source): Promise<void> {
    const root = PageConfig.getOption("serverRoot");
    if (!source.path.startsWith(root)) return;
    const path = source.path.slice(root.length).replace(/^[/\\]/, "");
    const opened: unknown = await this.app.commands.execute("docmanager:open", { path });
    if (opened) await this.app.commands.execute("fileeditor:go-to-line", { line: source.line }).catch(() => undefined);
  }
}
