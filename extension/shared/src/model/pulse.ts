/** Tells listeners that something changed: once in an animation frame, however often it did. */

import type { Disposable } from "../host";

export class Pulse {
  readonly #listeners = new Set<() => void>();
  #frame = 0;

  /** Call `listener` in the frame after a change. */
  subscribe(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { dispose: () => this.#listeners.delete(listener) };
  }

  /** Something changed. Costs nothing while nobody looks; no frame comes while the page is hidden. */
  changed(): void {
    if (this.#frame === 0 && this.#listeners.size > 0) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        for (const listener of [...this.#listeners]) listener();
      });
    }
  }

  /** Nobody is told any more. */
  dispose(): void {
    this.#listeners.clear();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }
}
