/** Numbers as colours: from dark to light, or from blue over white to red where they have both signs. */

export type Colour = readonly [number, number, number];

/** What isn't a finite number; no scale has these colours. */
export const NAN: Colour = [255, 0, 255];
export const POSITIVE_INF: Colour = [255, 140, 0];
export const NEGATIVE_INF: Colour = [0, 200, 160];

const SEQUENTIAL: readonly Colour[] = [
  [68, 1, 84],
  [71, 44, 122],
  [59, 81, 139],
  [44, 113, 142],
  [33, 144, 141],
  [39, 173, 129],
  [92, 200, 99],
  [170, 220, 50],
  [253, 231, 37],
];
const DIVERGING: readonly Colour[] = [
  [5, 48, 97],
  [33, 102, 172],
  [67, 147, 195],
  [146, 197, 222],
  [247, 247, 247],
  [244, 165, 130],
  [214, 96, 77],
  [178, 24, 43],
  [103, 0, 31],
];

export interface Scale {
  low: number;
  high: number;
  diverging: boolean;
}

/** The scale of that range; the same on both sides of zero where it has both signs. */
export function scaleOf(low: number, high: number): Scale {
  if (low >= 0 || high <= 0) return { low, high, diverging: false };
  const reach = Math.max(-low, high);
  return { low: -reach, high: reach, diverging: true };
}

export function colour(value: unknown, scale: Scale): Colour {
  if (value === "inf") return POSITIVE_INF;
  if (value === "-inf") return NEGATIVE_INF;
  const number = typeof value === "boolean" ? Number(value) : value;
  if (typeof number !== "number") return NAN;
  const stops = scale.diverging ? DIVERGING : SEQUENTIAL;
  const at = share(number, scale.low, scale.high) * (stops.length - 1);
  const index = Math.min(stops.length - 2, Math.floor(at));
  const [a, b] = [stops[index] ?? NAN, stops[index + 1] ?? NAN];
  const mix = (channel: 0 | 1 | 2): number =>
    Math.round(a[channel] + (b[channel] - a[channel]) * (at - index));
  return [mix(0), mix(1), mix(2)];
}

/** Where a number lies in a range, from 0 to 1. */
export function share(value: number, low: number, high: number): number {
  // Halves, since the difference of two floats may be infinite.
  const found = high > low ? (value / 2 - low / 2) / (high / 2 - low / 2) : 0.5;
  return Math.max(0, Math.min(1, found));
}

/** A CSS gradient of a scale, from left to right. */
export function gradient({ diverging }: Scale): string {
  const stops = diverging ? DIVERGING : SEQUENTIAL;
  return `linear-gradient(to right, ${stops.map(rgb).join(", ")})`;
}

/** As CSS has it. */
export function rgb(of: Colour): string {
  return `rgb(${of.join(" ")})`;
}

/** Whether text on it is better read in black. */
export function light([red, green, blue]: Colour): boolean {
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140;
}
