/** Numbers, sizes and shapes as people read them. */

import type { Source, Tensor } from "./protocol";

const UNITS: readonly [number, string][] = [
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "µs"],
];

/** A time in three digits: `1.23 ms`; empty where it wasn't measured. */
export function duration(ns: number): string {
  if (ns <= 0) return "";
  for (const [size, unit] of UNITS) {
    if (ns >= size) return `${digits(ns / size)} ${unit}`;
  }
  return `${Math.round(ns)} ns`;
}

function digits(value: number): string {
  if (value >= 100) return grouped(Math.round(value));
  return value.toFixed(value >= 10 ? 1 : 2);
}

const GROUPED = new Intl.NumberFormat("en");

/** `12,345` */
export function grouped(value: number): string {
  return GROUPED.format(value);
}

/** `1 step`, `2 steps` */
export function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** `(64, 128)`; a size that isn't known is `?`. */
export function shape(sizes: readonly number[]): string {
  const text = sizes.map((size) => (size < 0 ? "?" : String(size))).join(", ");
  return sizes.length === 1 ? `(${text},)` : `(${text})`;
}

/** `float32 (64, 128)` */
export function described(tensor: Tensor): string {
  return `${tensor.dtype} ${shape(tensor.shape)}`;
}

/** `1.5 MiB` */
export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  for (const unit of ["KiB", "MiB", "GiB"]) {
    bytes /= 1024;
    if (bytes < 1024) return `${bytes.toFixed(bytes < 10 ? 1 : 0)} ${unit}`;
  }
  return `${(bytes / 1024).toFixed(1)} TiB`;
}

/** An element, or a statistic, in at most `precision` digits. */
export function number(value: number | string | boolean, precision = 5): string {
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value);
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e6)) {
    return value.toExponential(Math.max(0, precision - 2));
  }
  return String(Number(value.toPrecision(precision)));
}

/** `train.py:12` */
export function place(source: Source): string {
  return `${source.path.split(/[\\/]/).pop() ?? source.path}:${source.line}`;
}

/** What a view says of an error. */
export function sentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.charAt(0).toUpperCase() + text.slice(1);
}
