/** The steps as they come: a timeline, and a table of any length. */

import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";

import { counted, duration, grouped, number, place } from "../format";
import type { Observed } from "../model/observed";
import { Timeline } from "../model/timeline";
import type { Step } from "../protocol";
import { Chart } from "./chart";
import { usePulse } from "./hooks";
import { List } from "./list";
import { Empty, Notices } from "./notice";
import { Icon, IconButton } from "./parts";

export function Steps({ of }: { of: Observed }): JSX.Element {
  usePulse(of.pulse);
  const timeline = useMemo(() => new Timeline(of), [of]);
  useEffect(() => timeline.update());
  // Scrolled away from the end, without anything chosen.
  const [paused, setPaused] = useState(false);
  const { host } = of;
  const follow = of.selection.step === undefined && !paused;
  const losses = timeline.hasLoss;

  const choose = (index: number): void => {
    setPaused(false);
    host.select({ step: index });
  };
  const onFollow = (on: boolean): void => {
    setPaused(!on);
    if (on && of.selection.step !== undefined) host.select({});
  };
  return (
    <div class="view">
      <Notices of={of} error={of.steps.error} />
      <div class="bar">
        <span class="grow ellipsis">{summary(of, timeline)}</span>
        <IconButton
          icon="graph"
          label="Show the graph of the step"
          disabled={of.step === undefined}
          onClick={() => of.step !== undefined && host.openGraph(of.step)}
        />
        <IconButton icon="follow" label="Follow the newest step" pressed={follow} onClick={() => onFollow(!follow)} />
      </div>
      {of.total === 0 ? (
        <Empty of={of} what="No step yet: a step is an optimizer's step, a Session.run, or a call of a compiled function." />
      ) : (
        <>
          <Chart timeline={timeline} chosen={of.step} onChoose={choose} />
          <List
            label="Steps"
            total={of.total}
            tracks={losses ? TRACKS_LOSS : TRACKS}
            headings={losses ? HEADINGS_LOSS : HEADINGS}
            row={(index) => {
              const step = of.steps.at(index);
              return step && row(step, timeline.longest, losses);
            }}
            chosen={follow ? of.total - 1 : of.selection.step}
            onChoose={choose}
            onOpen={(index) => {
              const source = of.steps.at(index)?.source;
              if (source) host.open(source);
            }}
            follow={follow}
            onFollow={onFollow}
          />
        </>
      )}
    </div>
  );
}

const TRACKS = "7ch minmax(8ch, 2fr) minmax(9ch, 1.4fr) minmax(7ch, 1fr) minmax(5ch, 1fr) 5ch";
const HEADINGS = ["Step", "Ended by", "Time", "Nodes", "Device", "Alerts"];
const TRACKS_LOSS =
  "7ch minmax(8ch, 2fr) minmax(9ch, 1.4fr) minmax(7ch, 1fr) minmax(7ch, 1fr) minmax(5ch, 1fr) 5ch";
const HEADINGS_LOSS = ["Step", "Ended by", "Time", "Loss", "Nodes", "Device", "Alerts"];

function summary(of: Observed, timeline: Timeline): string {
  const parts = of.total > 0 ? [counted(of.total, "step")] : [];
  if (timeline.mean > 0) parts.push(`${duration(timeline.mean)} each`);
  const ranks = of.state?.ranks.length ?? 0;
  if (ranks > 1) parts.push(counted(ranks, "process").replace("processs", "processes"));
  return parts.join(" · ");
}

function row(step: Step, longest: number, losses: boolean): ReturnType<Parameters<typeof List>[0]["row"]> {
  const alerts = step.alerts ?? 0;
  const share = longest > 0 ? Math.min(1, step.durationNs / longest) : 0;
  return {
    class: alerts > 0 ? "alerting" : "",
    label: spoken(step),
    cells: (
      <>
        <span role="gridcell" class="numeric">{grouped(step.index)}</span>
        <span role="gridcell" class="ellipsis" title={title(step)}>
          {step.name}
          {(step.rank ?? 0) > 0 && <span class="muted"> rank {step.rank}</span>}
        </span>
        <span role="gridcell" class="timed">
          <span class="share" style={{ width: `${100 * share}%` }} />
          <span class="numeric">{duration(step.durationNs)}</span>
        </span>
        {losses && (
          <span role="gridcell" class="numeric">{step.loss === undefined ? "" : number(step.loss)}</span>
        )}
        <span role="gridcell" class="numeric ellipsis" title={nodes(step)}>
          {grouped(step.forwardNodes)}
          {step.backwardNodes > 0 && <span class="muted"> ↩{grouped(step.backwardNodes)}</span>}
        </span>
        <span role="gridcell" class="ellipsis muted" title={step.devices.join(", ")}>
          {step.devices.map(shortDevice).join(", ")}
        </span>
        <span role="gridcell">
          {alerts > 0 && (
            <span class="badge">
              <Icon name="alert" />
              {alerts}
            </span>
          )}
        </span>
      </>
    ),
  };
}

/** `CPU:0` of `/device:CPU:0` */
export function shortDevice(device: string): string {
  return device.replace(/^.*\/device:/, "");
}

function nodes(step: Step): string {
  return `${counted(step.forwardNodes, "node")} forward, ${grouped(step.backwardNodes)} backward`;
}

function title(step: Step): string {
  return step.source ? `${step.name}, ${place(step.source)}` : step.name;
}

function spoken(step: Step): string {
  const loss = step.loss === undefined ? [] : [`loss ${number(step.loss)}`];
  const alerts = step.alerts ? [counted(step.alerts, "alert")] : [];
  return [`Step ${step.index}`, title(step), duration(step.durationNs), ...loss, nodes(step), ...alerts].join(", ");
}
