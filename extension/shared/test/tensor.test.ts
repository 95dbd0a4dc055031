import assert from "node:assert/strict";
import { test } from "node:test";

import { colour, NAN, POSITIVE_INF, scaleOf } from "../src/tensor/colours";
import { fitted, pictureOf, planeOf, planeSlice, rowsOf, sliceOf } from "../src/tensor/layout";
import { part, summed } from "../src/tensor/nested";

test("a plane of any rank, as it is asked for", () => {
  const rows = { begin: 2, end: 4 };
  const columns = { begin: 0, end: 10, step: 5 };
  assert.equal(sliceOf(planeOf([]), rows, columns), "");
  assert.equal(sliceOf(planeOf([9]), rows, columns), "2:4");
  assert.equal(sliceOf(planeOf([9, 10]), rows, columns), "2:4, 0:10:5");
  assert.equal(sliceOf({ rows: 3, columns: 1, at: [7, 0, 5, 0] }, rows, columns), "7, 0:10:5, 5, 2:4");
  assert.equal(planeSlice(planeOf([2, 3, 4])), "0, :, :");
});

test("rows of an answer, also where the plane is turned", () => {
  assert.deepEqual(rowsOf(planeOf([]), 5), [[5]]);
  assert.deepEqual(rowsOf(planeOf([2]), [5, 6]), [[5], [6]]);
  const values = [[1, 2, 3], [4, 5, 6]];
  assert.deepEqual(rowsOf({ rows: 0, columns: 1, at: [0, 0] }, values), values);
  assert.deepEqual(rowsOf({ rows: 1, columns: 0, at: [0, 0] }, values), [[1, 4], [2, 5], [3, 6]]);
});

test("a tensor that changed its shape is looked at as far as it can be", () => {
  const plane = { rows: 1, columns: 2, at: [4, 0, 0] };
  assert.deepEqual(fitted(plane, [3, 8, 8]).at, [2, 0, 0]);
  assert.deepEqual(fitted(plane, [8, 8]), planeOf([8, 8]));
});

test("pictures are recognised by their channels", () => {
  assert.equal(pictureOf([16, 3, 32, 32]), "CHW");
  assert.equal(pictureOf([8, 28, 28, 1]), "HWC");
  assert.equal(pictureOf([64, 64]), undefined);
  assert.equal(pictureOf([5, 64, 64]), undefined);
});

test("colours: the same on both sides of zero, and none for what isn't finite", () => {
  const scale = scaleOf(-1, 3);
  assert.deepEqual([scale.low, scale.high], [-3, 3]);
  assert.deepEqual(colour(0, scale), [247, 247, 247]);
  assert.deepEqual(colour("nan", scale), NAN);
  assert.deepEqual(colour("inf", scale), POSITIVE_INF);
  assert.deepEqual(colour(1e308, scaleOf(-1e308, 1e308)), [103, 0, 31], "the range may be infinite");
});

test("parts and statistics of what was captured with its step", () => {
  const values = [[1, 2, "nan"], [4, "inf", 0]];
  assert.deepEqual(part(values, "1, 0:2"), [4, "inf"]);
  assert.deepEqual(part(values, "0:2, 0:3:2"), [[1, "nan"], [4, 0]]);
  assert.equal(part(7, ""), 7);
  const { elements, nan, inf, zeros, minimum, maximum, mean } = summed(values);
  assert.deepEqual([elements, nan, inf, zeros, minimum, maximum, mean], [6, 1, 1, 1, 0, 4, 1.75]);
  assert.equal(summed(["nan"]).mean, undefined);
});
