/** A plane of a tensor as a heat map or an image. */

import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { number } from "../format";
import { gradient, NAN, NEGATIVE_INF, POSITIVE_INF, rgb, type Scale } from "../tensor/colours";
import type { Channels, Element } from "../tensor/layout";
import type { TensorModel } from "../tensor/model";
import { paint, type Picture } from "../tensor/picture";
import { useSize } from "./hooks";

interface PictureViewProps {
  model: TensorModel;
  channels: Channels | undefined;
  scale: Scale;
}

export function PictureView({ model, channels, scale }: PictureViewProps): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, height } = useSize(place);
  const [picture, setPicture] = useState<Picture>();
  const [rows, setRows] = useState(0);
  const [under, setUnder] = useState("");
  const { version } = model;
  const { low, high, diverging } = scale;

  useEffect(() => {
    let current = true;
    const painting = { channels, scale: { low, high, diverging } };
    paint(model, painting, (found) => {
      if (!current) return;
      setPicture(found);
      setRows(found.rows);
    }).catch((error: unknown) => {
      model.error = error instanceof Error ? error.message : String(error);
      model.pulse.changed();
    });
    return () => {
      current = false;
    };
  }, [model, version, channels, low, high, diverging]);

  useEffect(() => {
    const pen = canvas.current?.getContext("2d");
    if (picture !== undefined && pen) pen.putImageData(picture.image, 0, 0);
  }, [picture, rows]);

  const size = useMemo(() => {
    if (picture === undefined || width === 0) return undefined;
    const fit = Math.min((width - 16) / picture.width, (height - 16) / picture.height);
    const by = fit > 1 ? Math.min(24, Math.floor(fit)) : fit;
    return { width: picture.width * by, height: picture.height * by };
  }, [picture, width, height]);

  const onMove = (event: MouseEvent): void => {
    if (picture === undefined || size === undefined) return;
    const x = Math.floor((event.offsetX / size.width) * picture.width);
    const y = Math.floor((event.offsetY / size.height) * picture.height);
    const element = picture.elements[y * picture.width + x];
    if (element !== undefined) setUnder(`[${y * picture.every}, ${x * picture.every}] = ${told(element)}`);
  };
  return (
    <div class="pictured">
      <div class="frame" ref={place}>
        {picture !== undefined && (
          <canvas
            ref={canvas}
            role="img"
            aria-label={`${channels === undefined ? "Heat map" : "Image"} of ${model.name}, ${picture.height} by ${picture.width}`}
            width={picture.width}
            height={picture.height}
            style={size && { width: `${size.width}px`, height: `${size.height}px` }}
            onMouseMove={onMove}
            onMouseLeave={() => setUnder("")}
          />
        )}
      </div>
      <div class="bar legend">
        {channels === undefined && (
          <>
            <span class="numeric">{number(low)}</span>
            <span class="ramp" style={{ background: gradient(scale) }} />
            <span class="numeric">{number(high)}</span>
            <Key name="NaN" colour={rgb(NAN)} />
            <Key name="Inf" colour={rgb(POSITIVE_INF)} />
            <Key name="-Inf" colour={rgb(NEGATIVE_INF)} />
          </>
        )}
        <span class="grow" />
        <span class="code ellipsis" aria-hidden="true">{under}</span>
        {picture !== undefined && picture.every > 1 && (
          <span class="muted">one of {picture.every} rows and columns</span>
        )}
      </div>
    </div>
  );
}

function Key({ name, colour }: { name: string; colour: string }): JSX.Element {
  return (
    <span class="key">
      <span class="swatch" style={{ background: colour }} />
      {name}
    </span>
  );
}

function told(element: Element | readonly Element[]): string {
  if (Array.isArray(element)) return `(${(element as Element[]).map(told).join(", ")})`;
  return element === null ? "?" : number(element as number | string | boolean);
}
