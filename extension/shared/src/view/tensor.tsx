/** A tensor of any rank: statistics, and its elements as a table, a heat map, an image or a histogram. */

import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";

import { counted, described, grouped, number, sentence, size } from "../format";
import type { TensorTarget } from "../host";
import type { Observed } from "../model/observed";
import { scaleOf } from "../tensor/colours";
import { pictureDims, pictureOf, type Channels } from "../tensor/layout";
import { TensorModel } from "../tensor/model";
import { brightnessOf } from "../tensor/picture";
import { Dimensions } from "./dimensions";
import { Grid } from "./grid";
import { Histogram } from "./histogram";
import { usePulse } from "./hooks";
import { Empty, Notices } from "./notice";
import { IconButton } from "./parts";
import { PictureView } from "./picture";
import { Tabs } from "./tabs";

type Way = "grid" | "heat" | "image" | "histogram";

const WAYS: readonly { id: Way; name: string }[] = [
  { id: "grid", name: "Table" },
  { id: "heat", name: "Heat map" },
  { id: "image", name: "Image" },
  { id: "histogram", name: "Histogram" },
];

interface Kept {
  way?: Way;
  precision?: number;
  shaded?: boolean;
}

export function TensorView({ of, target }: { of: Observed; target: TensorTarget | undefined }): JSX.Element {
  const { host } = of;
  const model = useMemo(() => new TensorModel(host, target), [host, target]);
  useEffect(() => () => model.dispose(), [model]);
  usePulse(of.pulse);
  usePulse(model.pulse);
  const [kept, setKept] = useState<Kept>(() => (host.readState("tensor") as Kept | undefined) ?? {});
  const [layout, setLayout] = useState<Channels>();
  const { way = "grid", precision = 5, shaded = false } = kept;
  const keep = (changed: Kept): void => {
    const all = { ...kept, ...changed };
    setKept(all);
    host.writeState("tensor", all);
  };
  const { tensor, shape } = model;
  if (model.target === undefined) return <Empty of={of} what="Choose View tensor at a variable or a node." />;
  const guessed = pictureOf(shape);
  const channels = layout ?? guessed ?? "HW";
  const fits = shape.length >= (channels === "HW" ? 2 : 3);
  const shown = way === "image" && !fits ? "heat" : way;
  const used = shown === "image" ? pictureDims(shape.length, channels) : undefined;
  return (
    <div class="view tensor">
      <Notices of={of} error={undefined} />
      <div class="bar">
        <span class="strong code ellipsis" title={model.name}>{model.name}</span>
        {tensor && <span class="code muted ellipsis">{described(tensor)} {tensor.device}, {size(tensor.bytes)}</span>}
        <span class="grow" />
        {model.stale && <span class="muted">{of.stop === undefined ? "as of the last stop" : "as of an earlier stop"}</span>}
        {model.target.kind === "expression" && (
          <IconButton
            icon="pin"
            label="Read it again at each stop"
            pressed={model.pinned}
            onClick={() => {
              model.pinned = !model.pinned;
              if (model.pinned && model.stale) void model.refresh();
              model.pulse.changed();
            }}
          />
        )}
      </div>
      {model.error !== undefined && (
        <p class="notice error" role="alert">{sentence(model.error)}</p>
      )}
      {tensor !== undefined && (
        <>
          <Statistics model={model} />
          <div class="bar">
            <Tabs
              label="Show the tensor as"
              tabs={WAYS.filter(({ id }) => id !== "image" || shape.length >= 2)}
              chosen={shown}
              onChoose={(id) => keep({ way: id })}
            />
            <span class="grow" />
            {shown === "image" && (
              <label>
                Channels{" "}
                <select value={channels} onChange={(event) => setLayout(event.currentTarget.value as Channels)}>
                  {shape.length >= 3 && <option value="CHW">first (CHW)</option>}
                  {shape.length >= 3 && <option value="HWC">last (HWC)</option>}
                  <option value="HW">none</option>
                </select>
              </label>
            )}
            {shown === "grid" && (
              <>
                <label>
                  Digits{" "}
                  <input type="number" min={1} max={17} value={precision} onInput={(event) => keep({ precision: Math.max(1, Math.min(17, Number(event.currentTarget.value) || 5)) })} />
                </label>
                <label>
                  <input type="checkbox" checked={shaded} onChange={() => keep({ shaded: !shaded })} /> colours
                </label>
              </>
            )}
          </div>
          <Dimensions model={model} taken={used} />
          <div class="body" role="tabpanel" aria-label={shown}>
            {shown === "grid" && <Grid model={model} scale={heat(model)} precision={precision} shaded={shaded} />}
            {shown === "heat" && <PictureView model={model} channels={undefined} scale={heat(model)} />}
            {shown === "image" && <PictureView model={model} channels={channels} scale={bright(model)} />}
            {shown === "histogram" && <Histogram model={model} />}
          </div>
        </>
      )}
    </div>
  );
}

function heat({ summary }: TensorModel): ReturnType<typeof scaleOf> {
  return scaleOf(Number(summary?.minimum ?? 0), Number(summary?.maximum ?? 1));
}

function bright({ summary, tensor }: TensorModel): ReturnType<typeof scaleOf> {
  return brightnessOf(tensor?.dtype ?? "", Number(summary?.minimum ?? 0), Number(summary?.maximum ?? 1));
}

function Statistics({ model }: { model: TensorModel }): JSX.Element | null {
  const { summary } = model;
  if (summary === undefined) return null;
  const { elements, minimum, maximum, mean, std, nan = 0, inf = 0, zeros = 0 } = summary;
  const facts: [string, string][] = [["elements", grouped(elements)]];
  if (minimum !== undefined) facts.push(["min", number(minimum)]);
  if (maximum !== undefined) facts.push(["max", number(maximum)]);
  if (mean !== undefined) facts.push(["mean", number(mean)]);
  if (std !== undefined) facts.push(["std", number(std)]);
  facts.push(["zeros", grouped(zeros)]);
  return (
    <dl class="statistics" aria-label="Statistics">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class="numeric">{value}</dd>
        </div>
      ))}
      {nan > 0 && <Bad name="NaN" count={nan} />}
      {inf > 0 && <Bad name="Inf" count={inf} />}
    </dl>
  );
}

function Bad({ name, count }: { name: string; count: number }): JSX.Element {
  return (
    <div class="severe" role="status" aria-label={counted(count, `${name} element`)}>
      <dt>{name}</dt>
      <dd class="numeric">{grouped(count)}</dd>
    </div>
  );
}
