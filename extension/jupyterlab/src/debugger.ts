/** JupyterLab's own debugger: where it stops, what its breakpoints do, and evaluation in its frames. */

import type { IDebugger } from "@jupyterlab/debugger";

import type { Stop } from "../../shared/src/host";
import type { Source } from "../../shared/src/protocol";
import type { Cells } from "./cells";
import { hash, hashOf } from "./cells";
import type { NotebookHost } from "./host";

const PLACE = "__import__('sys').modules['graphdebug.runtime.boot'].place()";
const BUILDING = "tensors are symbolic here: the graph is being built, and no value exists before it runs";

export class DebuggerSide {
  #asked = 0;

  constructor(
    private readonly service: IDebugger,
    private readonly host: NotebookHost,
    private readonly cells: () => Cells | undefined,
  ) {
    service.eventMessage.connect((_, event) => {
      if (event.event !== "continued" && event.event !== "stopped") return;
      host.passed();
      host.continued(); // the frames of a stop come later, one by one
    });
    service.model.callstack.currentFrameChanged.connect(() => {
      this.#stopped();
    });
    service.model.breakpoints.changed.connect(() => {
      this.tellBreakpoints();
    });
    service.model.breakpoints.restored.connect(() => {
      this.tellBreakpoints();
    });
    service.sessionChanged.connect(() => {
      this.tellBreakpoints();
    });
  }

  /** Whether it is about the kernel that the host looks at. */
  get here(): boolean {
    const kernel = this.service.session?.connection?.kernel?.id;
    return kernel !== undefined && kernel === this.host.link?.id;
  }

  /** Whether it has stopped a thread there. */
  get standing(): boolean {
    return this.here && this.service.hasStoppedThreads();
  }

  /** Evaluate in a stopped frame. */
  async evaluate(expression: string, frameId: number | undefined): Promise<void> {
    const session = this.service.session;
    if (!session) throw new Error("The debugger is off.");
    const answer = await session.sendRequest("evaluate", { expression, frameId, context: "repl" });
    if (!answer.success) throw new Error(answer.message ?? "The debugger doesn't evaluate that.");
  }

  /** Let the server say what each breakpoint does. */
  tellBreakpoints(): void {
    const asked = ++this.#asked;
    void this.#messages().then((messages) => {
      if (asked === this.#asked) this.host.setBreakpoints(messages);
    });
  }

  async #messages() {
    const { link } = this.host;
    const cells = this.cells();
    if (!link || !cells || !this.here || !this.service.isStarted) return [];
    const set = [...this.service.model.breakpoints.breakpoints].flatMap(([path, items]) =>
      items.map((item) => ({ path, line: item.line ?? 0 })),
    );
    if (set.length === 0) return [];
    const paths = new Map(set.map(({ path }) => [hashOf(path), path]));
    const code = cells.code.map((cell) => {
      const source = cell.model.sharedModel.getSource();
      const number = hash(source);
      return { path: paths.get(number) ?? String(number), source };
    });
    try {
      return (await link.setBreakpoints({ cells: code, breakpoints: set })).breakpoints;
    } catch {
      return []; // the kernel has just gone
    }
  }

  #stopped(): void {
    const frame = this.service.model.callstack.frame;
    const [threadId] = this.service.model.stoppedThreads;
    if (!this.standing || !frame || threadId === undefined) {
      this.#continued();
      return;
    }
    const source = { path: frame.source?.path ?? "", line: frame.line, function: frame.name };
    const stop: Stop = { threadId, frameId: frame.id, reason: "breakpoint", source };
    this.host.stopped(stop);
    if (this.host.stop?.text === undefined && this.#isOfGraph(source)) void this.#sayWhatIsBuilt(stop);
  }

  #isOfGraph({ path, line }: Source): boolean {
    const found = this.host.breakpoints.find((item) => item.path === path && item.line === line);
    return found?.message !== undefined && !found.message.startsWith("line:");
  }

  /** Where a graph is built no tensor has a value: the kernel knows, and the user should. */
  async #sayWhatIsBuilt(stop: Stop): Promise<void> {
    const asked = { expression: PLACE, frameId: stop.frameId, context: "hover" };
    const answer = await this.service.session?.sendRequest("evaluate", asked).catch(() => undefined);
    const here = this.host.stop?.frameId === stop.frameId;
    if (here && answer?.success && String(answer.body.result).includes("building")) {
      this.host.stopped({ ...stop, description: "Building graph", text: BUILDING });
    }
  }

  #continued(): void {
    this.host.continued();
  }
}
