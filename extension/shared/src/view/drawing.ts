/** What drawing on a canvas takes: its resolution, and the theme's colours. */

export interface Colours {
  foreground: string;
  muted: string;
  background: string;
  border: string;
  accent: string;
  error: string;
  warning: string;
  forward: string;
  backward: string;
  optimizer: string;
  graph: string;
  loss: string;
  raised: string;
  edge: string;
  stop: string;
}

const NAMES: Readonly<Record<keyof Colours, string>> = {
  foreground: "--gd-foreground",
  muted: "--gd-muted",
  background: "--gd-background",
  border: "--gd-border",
  accent: "--gd-accent",
  error: "--gd-error",
  warning: "--gd-warning",
  forward: "--gd-forward",
  backward: "--gd-backward",
  optimizer: "--gd-optimizer",
  graph: "--gd-graph",
  loss: "--gd-loss",
  raised: "--gd-raised",
  edge: "--gd-edge",
  stop: "--gd-stop",
};

/** The colours that the theme gives an element now. */
export function colours(element: Element): Colours {
  const style = getComputedStyle(element);
  return Object.fromEntries(
    Object.entries(NAMES).map(([key, name]) => [key, style.getPropertyValue(name).trim() || "gray"]),
  ) as unknown as Colours;
}

/** A cleared canvas of this size in CSS pixels, sharp on any screen. */
export function context(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const pen = canvas.getContext("2d");
  if (pen === null) throw new Error("this page can't draw");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return pen;
}
