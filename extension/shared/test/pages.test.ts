import assert from "node:assert/strict";
import { test } from "node:test";

import { PAGE, Pages, PAGES_LIMIT } from "../src/model/pages";

/** A list of numbers that may grow, and what of it was asked for. */
class Numbers {
  asked: number[] = [];
  total: number;
  readonly pages: Pages<number>;

  constructor(total: number) {
    this.total = total;
    this.pages = new Pages(
      (begin, count) => {
        this.asked.push(begin);
        const length = Math.max(0, Math.min(count, this.total - begin));
        return Promise.resolve({ items: Array.from({ length }, (_, at) => begin + at), total: this.total });
      },
      () => undefined,
    );
    this.pages.grow(total);
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

test("only what is looked at is fetched, once", async () => {
  const { pages, asked } = new Numbers(10_000);
  assert.equal(pages.at(5_000), undefined);
  assert.equal(pages.at(5_001), undefined);
  await settled();
  assert.equal(pages.at(5_000), 5_000);
  assert.equal(asked.length, 1);
});

test("what was scrolled past isn't fetched", async () => {
  const { pages, asked } = new Numbers(100 * PAGE);
  for (let page = 0; page < 100; page++) pages.at(page * PAGE);
  await settled();
  assert.deepEqual(asked, [98 * PAGE, 99 * PAGE]);
});

test("of a list that grows, only the new end is fetched", async () => {
  const numbers = new Numbers(10);
  numbers.pages.begin();
  await settled();
  numbers.total = 15;
  numbers.pages.grow(15);
  numbers.pages.at(14);
  await settled();
  assert.equal(numbers.pages.at(14), 14);
  assert.deepEqual(numbers.asked, [0, 10]);
});

test("little is kept, however much was looked at", async () => {
  const { pages } = new Numbers(1_000 * PAGE);
  for (let page = 0; page < 200; page++) {
    pages.at(page * PAGE);
    await settled();
  }
  assert.equal(pages.known(0, 200 * PAGE).length, PAGES_LIMIT * PAGE);
});

test("a refusal is kept to be shown; answers for a list that was cleared are thrown away", async () => {
  const refused = new Pages<number>(() => Promise.reject(new Error("no such step")), () => undefined);
  refused.begin();
  await settled();
  assert.equal(refused.error, "no such step");

  let answer: (page: { items: number[]; total: number }) => void = () => undefined;
  const cleared = new Pages<number>(() => new Promise((resolve) => (answer = resolve)), () => undefined);
  cleared.begin();
  await settled();
  cleared.clear();
  answer({ items: [1, 2], total: 2 });
  await settled();
  assert.equal(cleared.total, 0);
});
