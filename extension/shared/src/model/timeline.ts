/** All steps at a glance, as a few points that the adapter adds up; asked for at most twice a second. */

import type { TimelinePoint } from "../protocol";
import type { Observed } from "./observed";

export const POINTS = 240;
const INTERVAL = 500;

export class Timeline {
  points: readonly TimelinePoint[] = [];
  /** The time that most steps take at most; one that takes longer fills its bar. */
  longest = 0;
  /** Mean time of a step, without the first one, which waits for imports. */
  mean = 0;
  hasLoss = false;
  readonly #of: Observed;
  #asked = -1;
  #asking = false;
  #session: string | undefined;

  constructor(of: Observed) {
    this.#of = of;
  }

  /** Ask for what has come since, if it is time; called whenever the view is drawn. */
  update(): void {
    const { session, total } = this.#of;
    if (session !== undefined && session.id !== this.#session) {
      this.#session = session.id;
      this.#asked = -1;
      this.#take([]);
    }
    if (!this.#asking && session !== undefined && total > 0 && total !== this.#asked) {
      void this.#ask(session.id);
    }
  }

  async #ask(session: string): Promise<void> {
    this.#asking = true;
    try {
      this.#asked = this.#of.total;
      const { points, total } = await this.#of.host.request("graphdebugTimeline", { points: POINTS });
      if (this.#of.session?.id === session) {
        this.#take(points);
        this.#asked = total;
      }
    } catch {
      // The table asks too, and says why there is no answer.
    }
    this.#of.pulse.changed();
    setTimeout(() => {
      this.#asking = false;
      if (this.#asked !== this.#of.total) this.#of.pulse.changed();
    }, INTERVAL);
  }

  #take(points: readonly TimelinePoint[]): void {
    this.points = points;
    const later = points.length > 1 ? points.slice(1) : points;
    const longest = later.map((point) => point.longestNs).sort((a, b) => a - b);
    this.longest = longest[Math.floor(longest.length * 0.95)] ?? 0;
    const steps = later.reduce((sum, { begin, end }) => sum + end - begin, 0);
    const time = later.reduce((sum, { begin, end, meanNs }) => sum + meanNs * (end - begin), 0);
    this.mean = steps > 0 ? time / steps : 0;
    this.hasLoss = points.some(({ loss }) => loss !== undefined);
  }
}
