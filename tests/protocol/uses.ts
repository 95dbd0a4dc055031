// Compiled, never run: what the generated types allow, and what they refuse.
import type {
  Float,
  GraphdebugEvents,
  GraphdebugRequests,
  Node,
  Step,
} from "../../extension/shared/src/protocol";

/** How an editor sends a custom request: the command decides the types of both sides. */
declare function request<C extends keyof GraphdebugRequests>(
  command: C,
  args: GraphdebugRequests[C]["arguments"],
): GraphdebugRequests[C]["response"];

declare function on<E extends keyof GraphdebugEvents>(
  event: E,
  handle: (body: GraphdebugEvents[E]) => void,
): void;

const nodes: Node[] = request("graphdebugNodes", { step: 3, phase: "backward" }).nodes;
const shapes: number[][] = nodes.flatMap((node) => (node.inputs ?? []).map((input) => input.shape));
const mean: Float | undefined = request("graphdebugTensor", { frameId: 1 }).summary?.mean;
on("graphdebugStep", ({ step }) => {
  const made: Step = step;
  const line: number | undefined = made.source?.line;
  return line;
});
request("graphdebugState", {}).ranks.map((rank) => rank.pid);

// @ts-expect-error: step is missing
request("graphdebugNodes", { start: 0 });
// @ts-expect-error: no such phase
request("graphdebugNodes", { step: 0, phase: "sideways" });
// @ts-expect-error: no such command
request("graphdebugEdges", {});
// @ts-expect-error: no such event
on("graphdebugEdge", () => undefined);
// @ts-expect-error: may be absent
const source: { path: string } = nodes[0]!.source;
// @ts-expect-error: of any shape
const value: number = nodes[0]!.outputs![0]!.value;

export { mean, shapes, source, value };
