/** What of the plan is in sight. */

import type { Point } from "./plan";

const CLOSEST = 2;
const FARTHEST = 0.002;

export class Camera {
  /** The plan's point in the middle of the view. */
  x = 0;
  y = 0;
  /** CSS pixels of the plan's unit. */
  zoom = 1;
  width = 0;
  height = 0;

  /** Where a point of the plan is seen. */
  seen({ x, y }: Point): Point {
    return { x: (x - this.x) * this.zoom + this.width / 2, y: (y - this.y) * this.zoom + this.height / 2 };
  }

  /** The point of the plan that is seen there. */
  under({ x, y }: Point): Point {
    return { x: (x - this.width / 2) / this.zoom + this.x, y: (y - this.height / 2) / this.zoom + this.y };
  }

  /** Move what is seen by so many pixels. */
  pan(by: Point): void {
    this.x -= by.x / this.zoom;
    this.y -= by.y / this.zoom;
  }

  /** Come closer by a factor; the point under `at` stays where it is. */
  approach(factor: number, at: Point): void {
    const point = this.under(at);
    this.zoom = Math.max(FARTHEST, Math.min(CLOSEST, this.zoom * factor));
    const moved = this.seen(point);
    this.pan({ x: at.x - moved.x, y: at.y - moved.y });
  }

  /** Have a point in the middle. */
  centre({ x, y }: Point): void {
    this.x = x;
    this.y = y;
  }

  /** Have all of a plan in sight, or its width where it is much higher. */
  fit(width: number, height: number, whole: boolean): void {
    const [wide, high] = [this.width / (width + 60), this.height / (height + 60)];
    this.zoom = Math.max(FARTHEST, Math.min(1, wide, whole ? high : Math.max(high, Math.min(wide, 0.9))));
    this.x = width / 2;
    this.y = whole ? height / 2 : Math.min(height / 2, this.height / 2 / this.zoom - 30 / this.zoom);
  }
}
