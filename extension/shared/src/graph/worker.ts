/** elkjs in a Worker, made of text: pages of editors allow workers from blobs alone. */

import ElkApi, { type ELK, type ElkNode } from "elkjs/lib/elk-api.js";

/** Lays out graphs, one at a time. */
export class Layouter {
  readonly #elk: Promise<ELK>;
  #url = "";
  #worker: Worker | undefined;

  constructor() {
    this.#elk = this.#start();
  }

  async #start(): Promise<ELK> {
    const { default: text } = await import("elkjs/lib/elk-worker.min.js");
    if (typeof text !== "string") throw new Error("bundle this with bundling.mjs's options");
    this.#url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    return new ElkApi({
      workerFactory: () => (this.#worker = new Worker(this.#url)),
    });
  }

  async layout(graph: ElkNode): Promise<ElkNode> {
    return (await this.#elk).layout(graph);
  }

  dispose(): void {
    this.#worker?.terminate();
    URL.revokeObjectURL(this.#url);
  }
}
