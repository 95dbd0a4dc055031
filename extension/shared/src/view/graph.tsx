/** The graph of a step: pan, zoom, and walk through it with the arrow keys. */

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { counted, grouped, place } from "../format";
import { draw } from "../graph/draw";
import { NODES_LIMIT, type Box } from "../graph/flow";
import { GraphModel } from "../graph/model";
import type { Point } from "../graph/plan";
import type { Stop } from "../host";
import type { Observed } from "../model/observed";
import type { Node, Phase } from "../protocol";
import { Details } from "./details";
import { colours, context } from "./drawing";
import { usePulse, useSize } from "./hooks";
import { Empty, Notices } from "./notice";
import { IconButton } from "./parts";

const SETTLE = 400;
const PAN = 80;

export function GraphView({ of }: { of: Observed }): JSX.Element {
  const { host } = of;
  const model = useMemo(() => new GraphModel(), [of]);
  useEffect(() => () => model.dispose(), [model]);
  usePulse(of.pulse);
  usePulse(model.pulse);
  const canvas = useRef<HTMLCanvasElement>(null);
  const area = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(area);
  const [text, setText] = useState("");
  const [node, setNode] = useState<Node>();
  const drag = useRef<{ from: Point; moved: boolean }>(undefined);
  const { plan, camera } = model;
  const chosen = of.selection.node;
  const shown = of.recorded;
  const session = of.session?.id;

  // As steps stream by, the newest is drawn once they pause; steps of the same nodes share one graph.
  const streaming = of.selection.step === undefined && plan !== undefined;
  useEffect(() => {
    const timer = setTimeout(() => void model.show(of, shown), streaming ? SETTLE : 0);
    return () => clearTimeout(timer);
  }, [model, of, shown, session]);

  const { stop } = of;
  const stopped = standsAt(stop, of.step);
  const standing = useMemo(() => stop && [...(plan?.flow.boxes.values() ?? [])].find(stopped), [plan, stop, of.step]);
  useEffect(() => {
    if (standing !== undefined) model.centre(standing.index);
  }, [model, plan, stop]);
  useEffect(() => {
    if (chosen !== undefined) model.reveal(chosen);
  }, [model, plan, chosen]);

  useEffect(() => {
    const step = of.step;
    setNode(undefined);
    if (chosen === undefined || step === undefined) return;
    let current = true;
    host.request("graphdebugNode", { step, node: chosen }).then(
      (found) => current && setNode(found.node),
      () => undefined, // the graph is of another step by now
    );
    return () => {
      current = false;
    };
  }, [host, of.step, chosen]);

  const wanted = text.toLowerCase();
  const matches = (box: Box): boolean => `${box.title}\n${box.subtitle}`.toLowerCase().includes(wanted);
  useLayoutEffect(() => {
    if (canvas.current === null || width === 0) return;
    if (camera.width === 0) {
      Object.assign(camera, { width, height });
      model.fit(false);
    }
    Object.assign(camera, { width, height });
    const pen = context(canvas.current, width, height);
    if (plan === undefined) return;
    const font = getComputedStyle(canvas.current).fontFamily;
    draw(pen, plan, camera, colours(canvas.current), { chosen, stopped, wanted: matches, font });
  });

  const choose = (index: number): void => {
    const step = of.step;
    if (step !== undefined) host.select({ step, node: index });
  };
  const find = (): void => {
    if (plan === undefined) return;
    const found = [...plan.flow.boxes.values()].filter(matches);
    const next = found.find(({ index }) => index > (chosen ?? -1)) ?? found[0];
    if (next !== undefined) choose(next.index);
  };
  const change = (action: () => void): void => {
    action();
    model.pulse.changed();
  };
  const approach = (factor: number, at: Point = { x: width / 2, y: height / 2 }): void =>
    change(() => camera.approach(factor, at));

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.altKey || event.metaKey || event.ctrlKey) return;
    const pans: Record<string, Point> = {
      ArrowUp: { x: 0, y: PAN },
      ArrowDown: { x: 0, y: -PAN },
      ArrowLeft: { x: PAN, y: 0 },
      ArrowRight: { x: -PAN, y: 0 },
    };
    const pan = pans[event.key];
    if (pan !== undefined && event.shiftKey) change(() => camera.pan(pan));
    else if (pan !== undefined) {
      const there = model.beside(chosen, event.key);
      if (there !== undefined) choose(there);
    } else if (event.key === "b") {
      const there = model.beside(chosen, "b");
      if (there !== undefined) choose(there);
    } else if (event.key === "+" || event.key === "=") approach(1.25);
    else if (event.key === "-") approach(0.8);
    else if (event.key === "0") model.fit(true);
    else if (event.key === "Home" || event.key === "End") {
      const all = [...(plan?.flow.boxes.keys() ?? [])];
      const there = event.key === "Home" ? all[0] : all.at(-1);
      if (there !== undefined) choose(there);
    } else if (event.key === "Enter") {
      const source = chosen === undefined ? undefined : plan?.flow.boxes.get(chosen)?.source;
      if (source !== undefined) host.open(source);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const onWheel = (event: WheelEvent): void => {
    event.preventDefault();
    if (event.ctrlKey) approach(Math.exp(-event.deltaY / 200), { x: event.offsetX, y: event.offsetY });
    else change(() => camera.pan({ x: -event.deltaX, y: -event.deltaY }));
  };
  const onPointerMove = (event: PointerEvent): void => {
    const { current } = drag;
    if (current === undefined) return;
    const by = { x: event.offsetX - current.from.x, y: event.offsetY - current.from.y };
    if (!current.moved && Math.hypot(by.x, by.y) < 4) return;
    drag.current = { from: { x: event.offsetX, y: event.offsetY }, moved: true };
    change(() => camera.pan(by));
  };
  const onPointerUp = (event: PointerEvent): void => {
    const moved = drag.current?.moved;
    drag.current = undefined;
    const box = moved ? undefined : plan?.at(camera.under({ x: event.offsetX, y: event.offsetY }));
    if (box !== undefined) choose(box.index);
  };

  const here = chosen === undefined ? undefined : plan?.flow.boxes.get(chosen);
  const total = plan?.flow.total ?? 0;
  return (
    <div class="view">
      <Notices of={of} error={model.error} />
      <div class="bar">
        <span class="ellipsis strong">{of.step === undefined ? "No step" : `Step ${grouped(of.step)}`}</span>
        <span class="grow muted ellipsis" role="status">{summary(model, total)}</span>
        <input
          type="search"
          placeholder="Find a node"
          aria-label="Find a node by name, shape or line"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => event.key === "Enter" && find()}
        />
        <IconButton icon="minus" label="Farther away (-)" onClick={() => approach(0.8)} />
        <IconButton icon="plus" label="Closer (+)" onClick={() => approach(1.25)} />
        <IconButton icon="fit" label="All of it (0)" onClick={() => model.fit(true)} />
        <IconButton icon="target" label="The chosen node" disabled={chosen === undefined} onClick={() => chosen !== undefined && model.centre(chosen)} />
      </div>
      <div class="split">
        <div
          class="graph"
          ref={area}
          role="application"
          aria-roledescription="graph"
          aria-label={`Graph of ${counted(total, "node")}. Arrow keys go from node to node, B between forward and backward, Enter to the line, plus and minus zoom.`}
          tabIndex={0}
          onKeyDown={onKeyDown}
        >
          <canvas
            ref={canvas}
            aria-hidden="true"
            onWheel={onWheel}
            onPointerDown={(event) => {
              drag.current = { from: { x: event.offsetX, y: event.offsetY }, moved: false };
              event.currentTarget.setPointerCapture(event.pointerId);
            }}
            onPointerMove={onPointerMove}
            onPointerUp={onPointerUp}
            onDblClick={() => here?.source && host.open(here.source)}
          />
          {plan !== undefined && total > 0 && <Legend phases={plan.phases} />}
          {total === 0 && model.loading === "" && <Empty of={of} what={nothing(of)} />}
        </div>
        {node !== undefined && here !== undefined && <Details of={of} node={node} />}
      </div>
      <span class="spoken" aria-live="polite">{here && spoken(here)}</span>
      <span class="spoken" aria-live="polite">{standing && `The program stands at ${spoken(standing)}`}</span>
    </div>
  );
}

/** Whether the program stands at a node: at that very one in a record, else at those of its line. */
function standsAt(stop: Stop | undefined, step: number | undefined): (box: Box) => boolean {
  if (stop?.node !== undefined && stop.step === step) return ({ index }) => index === stop.node;
  const { path, line } = stop?.source ?? {};
  return ({ source }) => source !== undefined && source.line === line && source.path === path;
}

function nothing(of: Observed): string {
  return of.step === undefined ? "No step yet." : "Nothing is known of this step's nodes.";
}

function summary(model: GraphModel, total: number): string {
  if (model.loading !== "") return model.loading;
  const parts = [counted(total, "node")];
  if (total > NODES_LIMIT) parts.push(`the first ${grouped(NODES_LIMIT)} are drawn`);
  const pieces = model.plan?.pieces.length ?? 0;
  if (model.done < pieces) parts.push(`laying out ${Math.round((100 * model.done) / pieces)} %`);
  return parts.join(" · ");
}

function spoken({ index, title, subtitle, source, from, to }: Box): string {
  const parts = [`Node ${index}`, title, subtitle, source ? place(source) : "no line of yours"];
  parts.push(`takes from ${from.length}`, `given to ${to.length}`);
  return parts.filter(Boolean).join(", ");
}

function Legend({ phases }: { phases: readonly Phase[] }): JSX.Element {
  return (
    <div class="phases" aria-hidden="true">
      {phases.map((phase) => (
        <span class="key" key={phase}>
          <span class={`phase ${phase}`} />
          {phase}
        </span>
      ))}
    </div>
  );
}
