/** The nodes of the step that is looked at: filters, a table, and all about the chosen one. */

import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";

import { counted, described, duration, grouped, place, shape } from "../format";
import { Nodes, type Filters } from "../model/nodes";
import type { Observed } from "../model/observed";
import type { Node, Phase } from "../protocol";
import { Details } from "./details";
import { usePulse } from "./hooks";
import { List } from "./list";
import { Empty, Notices } from "./notice";
import { IconButton } from "./parts";
import { shortDevice } from "./steps";

const PHASES: readonly Phase[] = ["forward", "backward", "optimizer", "graph"];

export function NodesView({ of }: { of: Observed }): JSX.Element {
  usePulse(of.pulse);
  const { host } = of;
  const nodes = useMemo(() => new Nodes(host, of.pulse), [of, host]);
  const [filters, setFilters] = useState<Filters>(() => (host.readState("nodes") as Filters | undefined) ?? {});
  const [row, setRow] = useState<number>();
  const [chosen, setChosen] = useState<Node>();
  const step = of.step;
  const session = of.session?.id;
  useEffect(() => nodes.clear(), [nodes, session]);
  useEffect(() => {
    nodes.show(step, filters);
    setRow(undefined);
  }, [nodes, step, filters, session]);

  // A node that was chosen elsewhere, such as in the graph.
  const wanted = of.selection.node;
  useEffect(() => {
    if (step === undefined || wanted === undefined) {
      setChosen(undefined);
      return;
    }
    let current = true;
    host.request("graphdebugNode", { step, node: wanted }).then(
      ({ node }) => current && setChosen(node),
      () => current && setChosen(undefined),
    );
    return () => {
      current = false;
    };
  }, [host, step, wanted, session]);

  const change = (changed: Filters): void => {
    const all = { ...filters, ...changed };
    setFilters(all);
    host.writeState("nodes", all);
  };
  const choose = (index: number): void => {
    setRow(index);
    const node = nodes.pages.at(index);
    if (node !== undefined && step !== undefined) host.select({ step, node: node.index });
  };
  const unfiltered = Object.values(filters).every((value) => value === undefined || value === "");
  const marked = row ?? (unfiltered && wanted !== undefined ? wanted : undefined);
  const { total } = nodes.pages;
  return (
    <div class="view">
      <Notices of={of} error={nodes.pages.error} />
      <div class="bar">
        <IconButton icon="left" label="Previous step" disabled={step === undefined || step <= 0} onClick={() => step !== undefined && host.select({ step: step - 1 })} />
        <span class="ellipsis strong">{step === undefined ? "No step" : `Step ${grouped(step)}`}</span>
        <IconButton icon="right" label="Next step" disabled={step === undefined || step >= of.total - 1} onClick={() => step !== undefined && host.select({ step: step + 1 })} />
        <span class="grow muted ellipsis">{step === undefined ? "" : counted(total, "node")}</span>
        <IconButton icon="graph" label="Show the graph of the step" disabled={step === undefined} onClick={() => step !== undefined && host.openGraph(step, of.selection.node)} />
      </div>
      <Filter of={of} filters={filters} onChange={change} />
      {step === undefined ? (
        <Empty of={of} what="No step yet." />
      ) : total === 0 && !nodes.pages.waiting ? (
        <Empty of={of} what={nothing(unfiltered)} />
      ) : (
        <List
          label={`Nodes of step ${step}`}
          total={total}
          tracks="4px 5ch minmax(10ch, 1.5fr) minmax(10ch, 1.2fr) 8ch minmax(11ch, 1fr)"
          headings={["", "#", "Node", "Output", "Time", "Line"]}
          row={(index) => {
            const node = nodes.pages.at(index);
            return node && cells(node, host.open.bind(host));
          }}
          chosen={marked}
          onChoose={choose}
          onOpen={(index) => {
            const source = nodes.pages.at(index)?.source;
            if (source) host.open(source);
          }}
        />
      )}
      {chosen !== undefined && <Details of={of} node={chosen} />}
    </div>
  );
}

function nothing(unfiltered: boolean): string {
  return unfiltered ? "Nothing is known of this step's nodes." : "No node of this step passes the filters.";
}

interface FilterProps {
  of: Observed;
  filters: Filters;
  onChange: (changed: Filters) => void;
}

function Filter({ of, filters, onChange }: FilterProps): JSX.Element {
  const devices = [...new Set([...(of.newest?.devices ?? []), ...(filters.device ? [filters.device] : [])])];
  return (
    <div class="bar filters" role="search" aria-label="Filter nodes">
      <input
        type="search"
        class="grow"
        placeholder="Filter by name or operation"
        aria-label="Filter by name or operation"
        value={filters.text ?? ""}
        onInput={(event) => onChange({ text: event.currentTarget.value || undefined })}
      />
      <select
        aria-label="Phase"
        value={filters.phase ?? ""}
        onChange={(event) => onChange({ phase: (event.currentTarget.value || undefined) as Phase | undefined })}
      >
        <option value="">All phases</option>
        {PHASES.map((phase) => (
          <option value={phase} key={phase}>
            {phase}
          </option>
        ))}
      </select>
      {(devices.length > 1 || filters.device !== undefined) && (
        <select
          aria-label="Device"
          value={filters.device ?? ""}
          onChange={(event) => onChange({ device: event.currentTarget.value || undefined })}
        >
          <option value="">All devices</option>
          {devices.map((device) => (
            <option value={device} key={device}>
              {shortDevice(device)}
            </option>
          ))}
        </select>
      )}
      {filters.line === undefined ? (
        <button
          type="button"
          class="button"
          disabled={of.stop?.source === undefined}
          title="Only nodes of the line that the program stands at"
          onClick={() => onChange({ path: of.stop?.source?.path, line: of.stop?.source?.line })}
        >
          This line
        </button>
      ) : (
        <button
          type="button"
          class="button pressed"
          title="Nodes of all lines again"
          onClick={() => onChange({ path: undefined, line: undefined })}
        >
          {filters.path ? place({ path: filters.path, line: filters.line }) : filters.line} ×
        </button>
      )}
    </div>
  );
}

function cells(node: Node, open: (source: NonNullable<Node["source"]>) => void): ReturnType<Parameters<typeof List>[0]["row"]> {
  const output = node.outputs?.[0];
  const { source } = node;
  return {
    label: [
      `Node ${node.index}`, node.name, node.phase,
      output ? `output ${described(output)}` : "no output",
      duration(node.durationNs ?? 0),
      source ? place(source) : "",
    ].filter(Boolean).join(", "),
    cells: (
      <>
        <span role="gridcell" class={`phase ${node.phase}`} title={node.phase} />
        <span role="gridcell" class="numeric muted">{node.index}</span>
        <span role="gridcell" class="ellipsis" title={`${node.name}\n${node.opType}, ${node.phase}\n${node.device}`}>
          {title(node)}
          {iteration(node) !== "" && <span class="muted"> [{iteration(node)}]</span>}
        </span>
        <span role="gridcell" class="ellipsis code" title={(node.outputs ?? []).map(described).join("\n")}>
          {output && `${shape(output.shape)} ${output.dtype}`}
          {(node.outputs?.length ?? 0) > 1 && <span class="muted"> +{(node.outputs?.length ?? 0) - 1}</span>}
        </span>
        <span role="gridcell" class="numeric muted">{duration(node.durationNs ?? 0)}</span>
        <span role="gridcell" class="ellipsis">
          {source && (
            <a
              class="link"
              tabIndex={-1}
              title={`${source.path}:${source.line}`}
              onClick={() => open(source)}
            >
              {place(source)}
            </a>
          )}
        </span>
      </>
    ),
  };
}

/** What a node is called in small space. */
export function title(node: Node): string {
  if (node.phase === "graph") return node.name;
  return node.opType.replace(/^(aten|torch)::/, "");
}

/** `2`, or `1, 3` in loops of loops; empty for the first time. */
export function iteration(node: Node): string {
  const all = node.iterations ?? [];
  if (all.length > 0) return all.join(", ");
  return node.iteration > 0 ? String(node.iteration) : "";
}
