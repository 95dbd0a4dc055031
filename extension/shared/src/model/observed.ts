/**
 * What a view knows of its session: how it is connected, the steps, and what is chosen.
 *
 * Bounded, however many steps there are: the newest one is told by events, others are fetched when
 * somebody looks at them.
 */

import type { Disposable, Host, Selection, Session, Stop } from "../host";
import type { GraphdebugStateResponse, Step } from "../protocol";
import { Pages } from "./pages";
import { Pulse } from "./pulse";

export class Observed {
  readonly host: Host;
  readonly pulse = new Pulse();
  readonly steps: Pages<Step>;
  /** The newest step, as far as was told. */
  newest: Step | undefined;
  /** Of what runs: which frameworks, and how much is recorded. */
  state: GraphdebugStateResponse | undefined;
  /** Records dropped since the session began: the program was faster than the link. */
  dropped = 0;
  /** Why there is no connection. */
  lost: string | undefined;
  /** The session that ended, whose record is still shown. */
  ended: Session | undefined;
  readonly #parts: Disposable[];
  #last: Session | undefined;

  constructor(host: Host) {
    this.host = host;
    const changed = (): void => this.pulse.changed();
    this.steps = new Pages(async (begin, count) => {
      const found = await host.request("graphdebugSteps", { begin, end: begin + count });
      return { items: found.steps, total: found.total };
    }, changed);
    this.#parts = [
      host.on("session", (session) => this.#began(session)),
      host.on("step", ({ step }) => this.#made(step)),
      host.on("dropped", ({ count }) => {
        this.dropped = count;
        changed();
      }),
      host.on("connection", (reason) => {
        this.lost = reason;
        changed();
      }),
      host.on("stopped", changed),
      host.on("continued", changed),
      host.on("selection", changed),
    ];
    if (host.session !== undefined) this.#began(host.session);
  }

  get session(): Session | undefined {
    return this.host.session;
  }

  get stop(): Stop | undefined {
    return this.host.stop;
  }

  get selection(): Selection {
    return this.host.selection;
  }

  /** How many steps there are, as far as was told. */
  get total(): number {
    return this.steps.total;
  }

  /** The step that is looked at: the chosen one, else the recorded one that the program stands at, else the newest. */
  get step(): number | undefined {
    const newest = this.newest?.index ?? (this.total > 0 ? this.total - 1 : undefined);
    return this.selection.step ?? this.stop?.step ?? newest;
  }

  /** The step whose recorded nodes the one that is looked at shares, as far as that is known. */
  get recorded(): number | undefined {
    const { step, newest } = this;
    if (step === undefined) return undefined;
    const found = newest?.index === step ? newest : this.steps.at(step);
    return found?.detail ?? step;
  }

  dispose(): void {
    for (const part of this.#parts) part.dispose();
    this.pulse.dispose();
  }

  #began(session: Session | undefined): void {
    if (session === undefined) {
      this.ended = this.#last;
      this.pulse.changed();
      return;
    }
    this.#last = session;
    this.ended = undefined;
    this.newest = this.state = this.lost = undefined;
    this.dropped = 0;
    this.steps.clear();
    this.steps.begin();
    void this.#ask(session.id);
  }

  async #ask(session: string): Promise<void> {
    try {
      const state = await this.host.request("graphdebugState", {});
      if (this.session?.id !== session) return;
      this.state = state;
      this.dropped = Math.max(this.dropped, state.dropped);
    } catch {
      // The steps are asked for too, and say why there is no answer.
    }
    this.pulse.changed();
  }

  #made(step: Step): void {
    // Frameworks are imported, and processes come, after the session began.
    if (this.newest === undefined && this.session !== undefined) void this.#ask(this.session.id);
    this.newest = step;
    this.steps.grow(step.index + 1);
    this.pulse.changed();
  }
}
