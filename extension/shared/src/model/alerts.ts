/** The alerts of the session, and which of them are looked at. */

import type { Alert, AlertKind } from "../protocol";
import type { Disposable } from "../host";
import type { Observed } from "./observed";

const LIMIT = 10_000;

export class Alerts {
  all: readonly Alert[] = [];
  error: string | undefined;
  readonly #of: Observed;
  readonly #parts: Disposable[];
  #asking = false;
  #again = false;

  constructor(of: Observed) {
    this.#of = of;
    const { host } = of;
    this.#parts = [
      host.on("alert", () => void this.#ask()),
      host.on("session", (session) => {
        if (session === undefined) return;
        this.all = [];
        void this.#ask();
      }),
    ];
    if (host.session !== undefined) void this.#ask();
  }

  /** How many there are of each kind. */
  get kinds(): ReadonlyMap<AlertKind, number> {
    const counts = new Map<AlertKind, number>();
    for (const { kind } of this.all) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return counts;
  }

  dispose(): void {
    for (const part of this.#parts) part.dispose();
  }

  /** Fetch those that came since; while one answer is waited for, once more after it. */
  async #ask(): Promise<void> {
    this.#again = true;
    if (this.#asking) return;
    this.#asking = true;
    while (this.#again) {
      this.#again = false;
      const session = this.#of.session?.id;
      // Where the oldest were dropped, places moved: all of them are fetched again.
      const start = this.all.length >= LIMIT ? 0 : this.all.length;
      try {
        const { alerts } = await this.#of.host.request("graphdebugAlerts", { start });
        if (this.#of.session?.id !== session) {
          this.#again = this.#of.session !== undefined;
          continue;
        }
        this.all = [...this.all.slice(0, start), ...alerts];
        this.error = undefined;
      } catch (error) {
        this.error = error instanceof Error ? error.message : String(error);
      }
      this.#of.pulse.changed();
    }
    this.#asking = false;
  }
}
