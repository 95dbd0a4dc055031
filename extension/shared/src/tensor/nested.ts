/** A small tensor whose elements are all here: parts of it, and its statistics. */

import type { TensorSummary } from "../protocol";

/** What `tensor[slice]` is, of nested lists. Takes what `layout.ts` spells: indices and ranges. */
export function part(values: unknown, slice: string): unknown {
  return slice === "" ? values : taken(values, slice.split(", "));
}

function taken(values: unknown, [first, ...others]: string[]): unknown {
  if (first === undefined) return values;
  const list = values as unknown[];
  if (!first.includes(":")) return taken(list[Number(first)], others);
  const [begin = "", end = "", step = ""] = first.split(":");
  const every = Number(step) || 1;
  return list
    .slice(Number(begin), end === "" ? undefined : Number(end))
    .filter((_, at) => at % every === 0)
    .map((item) => taken(item, others));
}

/** Statistics as `graphdebugTensor` gives them. */
export function summed(values: unknown): TensorSummary {
  const all = (Array.isArray(values) ? values.flat(Infinity) : [values]) as unknown[];
  const numbers = all.map((value) => (typeof value === "boolean" ? Number(value) : value));
  const finite = numbers.filter((value) => typeof value === "number");
  const nan = all.filter((value) => value === "nan").length;
  const inf = all.filter((value) => value === "inf" || value === "-inf").length;
  const zeros = finite.filter((value) => value === 0).length;
  const summary = { elements: all.length, nan, inf, zeros };
  if (finite.length === 0) return summary;
  const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length;
  const squares = finite.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    ...summary,
    minimum: Math.min(...finite),
    maximum: Math.max(...finite),
    mean,
    std: Math.sqrt(squares / finite.length),
  };
}
