/** The nodes of a step as a graph: what each is called, and what flows from one to the next. */

import type { Host } from "../host";
import type { Node, Phase, Source } from "../protocol";
import { place, shape } from "../format";

/** Nodes of one step that are drawn; of a longer one, the first ones. */
export const NODES_LIMIT = 20_000;
const PAGE = 1000;

export interface Box {
  /** Position within the step. */
  index: number;
  title: string;
  /** What it made, and on which line. */
  subtitle: string;
  phase: Phase;
  source: Source | undefined;
  /** Nodes that it takes from, and that take from it. */
  from: number[];
  to: number[];
  forwardNode: number | undefined;
  /** Of an operation: the nodes of backward that it made. */
  backward: number[];
}

export interface Flow {
  step: number;
  boxes: Map<number, Box>;
  /** How many nodes the step has. */
  total: number;
}

/**
 * Fetch the nodes of a step. Rejects with the adapter's sentence. `onPage` gets what is there so far,
 * not linked yet, and says whether to go on.
 */
export async function fetchFlow(
  host: Host,
  step: number,
  onPage: (flow: Flow) => boolean,
): Promise<Flow | undefined> {
  const boxes = new Map<number, Box>();
  let total = 1;
  for (let start = 0; start < Math.min(total, NODES_LIMIT); start += PAGE) {
    const page = await host.request("graphdebugNodes", { step, start, count: PAGE });
    total = page.total;
    for (const node of page.nodes) boxes.set(node.index, boxOf(node));
    if (!onPage({ step, boxes, total })) return undefined;
  }
  link(boxes);
  return { step, boxes, total };
}

export function boxOf(node: Node): Box {
  const output = node.outputs?.[0];
  const parts = [];
  if (output !== undefined) parts.push(shape(output.shape));
  if (node.source !== undefined) parts.push(place(node.source));
  const name = node.phase === "graph" ? node.name : node.opType.replace(/^(aten|torch)::/, "");
  const turn = (node.iterations ?? []).join(", ") || (node.iteration > 0 ? String(node.iteration) : "");
  return {
    index: node.index,
    title: turn === "" ? name : `${name} [${turn}]`,
    subtitle: parts.join("  "),
    phase: node.phase,
    source: node.source,
    from: [...(node.inputNodes ?? [])],
    to: [],
    forwardNode: node.forwardNode,
    backward: [],
  };
}

/** Let each node know what takes from it; what lies beyond the limit is left out. */
export function link(boxes: ReadonlyMap<number, Box>): void {
  for (const box of boxes.values()) {
    box.from = box.from.filter((index) => boxes.has(index));
    for (const index of box.from) boxes.get(index)?.to.push(box.index);
    if (box.forwardNode !== undefined) boxes.get(box.forwardNode)?.backward.push(box.index);
  }
}
