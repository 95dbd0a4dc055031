import assert from "node:assert/strict";
import { test } from "node:test";

import { boxOf, link } from "../src/graph/flow";
import { BOX_HEIGHT, PIECE, Plan } from "../src/graph/plan";
import type { Node, Phase } from "../src/protocol";

function node(index: number, phase: Phase, more: Partial<Node> = {}): Node {
  return { index, step: 0, name: "n", opType: "aten::relu", phase, iteration: 0, device: "cpu", ...more };
}

function planOf(nodes: Node[]): Plan {
  const boxes = new Map(nodes.map((each) => [each.index, boxOf(each)]));
  link(boxes);
  return new Plan({ step: 0, boxes, total: nodes.length });
}

/** So many nodes forward, in a chain, and as many backward. */
function chain(length: number): Plan {
  const after = (at: number, begin: number): number[] => (at > 0 ? [begin + at - 1] : []);
  const forward = Array.from({ length }, (_, at) => node(at, "forward", { inputNodes: after(at, 0) }));
  const backward = Array.from({ length }, (_, at) =>
    node(length + at, "backward", { forwardNode: length - 1 - at, inputNodes: after(at, length) }),
  );
  return planOf([...forward, ...backward]);
}

test("backward runs up beside forward", () => {
  const plan = chain(3);
  const y = (index: number): number => plan.place(index)?.y ?? NaN;
  assert.ok(y(0) < y(1) && y(1) < y(2) && y(3) > y(4));
  assert.ok((plan.place(3)?.x ?? 0) > (plan.place(2)?.x ?? 0));
  assert.deepEqual(plan.flow.boxes.get(2)?.backward, [3]);
});

test("a long step is cut into pieces, and into bands beside each other, without overlaps", () => {
  const plan = chain(2_000);
  assert.equal(plan.pieces.length, 2 * Math.ceil(2_000 / PIECE));
  assert.ok(plan.width / plan.height > 0.5 && plan.width / plan.height < 4);
  const taken = new Set<string>();
  for (const { index } of plan.flow.boxes.values()) {
    const { x = 0, y = 0 } = plan.place(index) ?? {};
    const place = `${Math.round(x)} ${Math.round(y / (BOX_HEIGHT / 4))}`;
    assert.ok(!taken.has(place), `another one is at ${place} already`);
    taken.add(place);
    assert.equal(plan.at({ x: x + 5, y: y + 5 })?.index, index);
  }
});

test("edges past many nodes, and to other pieces, aren't laid out", () => {
  const inputs = (at: number): number[] => [0, at - 1, at - 30].filter((index) => index >= 0);
  const plan = planOf(Array.from({ length: 100 }, (_, at) => node(at, "graph", { inputNodes: inputs(at) })));
  const [first] = plan.pieces;
  assert.ok(first !== undefined);
  const edges = plan.graph(first).edges?.map(({ id }) => id) ?? [];
  assert.ok(edges.includes("4>5") && edges.includes("0>5"));
  assert.ok(!edges.includes("0>40") && !edges.includes("20>50"));
});
