/** All about one node: its tensors, where it ran, its line, and the nodes around it. */

import type { JSX } from "preact";

import { described, duration, number, size } from "../format";
import type { Observed } from "../model/observed";
import type { Node, Tensor } from "../protocol";
import { iteration, title } from "./nodes";
import { Line } from "./parts";

export function Details({ of, node }: { of: Observed; node: Node }): JSX.Element {
  const { host } = of;
  const choose = (index: number): void => host.select({ step: node.step, node: index });
  return (
    <section class="details" aria-label={`Node ${node.index}, ${title(node)}`}>
      <h2>
        <span class={`phase ${node.phase}`} />
        <span class="ellipsis" title={node.name}>{node.name}</span>
      </h2>
      <dl>
        <Fact name="Operation">{node.opType}, {node.phase}{iteration(node) !== "" && `, iteration ${iteration(node)}`}</Fact>
        {node.device !== "" && <Fact name="Device">{node.device}</Fact>}
        {(node.durationNs ?? 0) > 0 && <Fact name="Time">{duration(node.durationNs ?? 0)}</Fact>}
        {node.source && (
          <Fact name="Line">
            <Line host={host} source={node.source} />
            {node.source.function && <span class="muted"> in {node.source.function}</span>}
          </Fact>
        )}
        {node.forwardNode !== undefined && (
          <Fact name="Made by">
            <Step index={node.forwardNode} onChoose={choose} />
            <span class="muted"> the forward operation whose gradient this is</span>
          </Fact>
        )}
        {(node.inputNodes?.length ?? 0) > 0 && (
          <Fact name="Takes from">
            {node.inputNodes?.map((index) => <Step key={index} index={index} onChoose={choose} />)}
          </Fact>
        )}
        <Tensors name="Outputs" of={of} node={node} tensors={node.outputs ?? []} kind="output" />
        <Tensors name="Inputs" of={of} node={node} tensors={node.inputs ?? []} kind="input" />
      </dl>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: JSX.Element | (JSX.Element | string | number | boolean | undefined)[] | string | undefined }): JSX.Element {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function Step({ index, onChoose }: { index: number; onChoose: (index: number) => void }): JSX.Element {
  return (
    <button type="button" class="link" onClick={() => onChoose(index)}>
      #{index}
    </button>
  );
}

interface TensorsProps {
  name: string;
  of: Observed;
  node: Node;
  tensors: readonly Tensor[];
  kind: "input" | "output";
}

function Tensors({ name, of, node, tensors, kind }: TensorsProps): JSX.Element | null {
  if (tensors.length === 0) return null;
  return (
    <Fact name={name}>
      <ol class="tensors">
        {tensors.map((tensor, at) => (
          <li key={at}>
            <span class="code">{described(tensor)}</span>
            <span class="muted">
              {" "}
              {tensor.device}, {size(tensor.bytes)}
              {tensor.requiresGrad && ", requires grad"}{" "}
            </span>
            {tensor.value !== undefined && <div class="code ellipsis">{short(tensor.value)}</div>}
            <button
              type="button"
              class="link"
              aria-label={`View ${kind} ${at}`}
              onClick={() => {
                const { step, index } = node;
                of.host.openTensor(
                  kind === "output" ? { kind, step, node: index, output: at } : { kind, step, node: index, input: at },
                );
              }}
            >
              View tensor
            </button>
          </li>
        ))}
      </ol>
    </Fact>
  );
}

function short(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(short).join(", ")}]`;
  return number(value as number | string);
}
