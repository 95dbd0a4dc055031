// What people see of the views, in Chromium, over a real debug session: `node --test`, with ADDRESS
// of a page that `test_views.py` serves, and PICTURES, a folder, if pictures are wanted.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

const { chromium } = createRequire(new URL("../../../extension/shared/package.json", import.meta.url))("playwright-core");
const { ADDRESS, PICTURES } = process.env;
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"];
const wait = { timeout: 60_000 };

let browser, page, devtools;
const problems = [];

before(async () => {
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
  page = await browser.newPage({ viewport: { width: 1320, height: 660 } });
  page.setDefaultTimeout(wait.timeout);
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(error.stack));
  devtools = await page.context().newCDPSession(page);
  await page.goto(ADDRESS);
  await page.waitForFunction("window.views");
  await page.evaluate("views.standing()");
});

after(async () => {
  await browser?.close();
  assert.deepEqual(problems, [], "nothing was refused by the page's policy, and nothing was thrown");
});

const show = (names, options = {}) => page.evaluate(([names, options]) => views.show(names, options), [names, options]);
const select = (selection) => page.evaluate((selection) => views.host.select(selection), selection);
const rows = (name) => page.getByRole("grid", { name });
const opened = () => page.evaluate("views.host.opened.splice(0)");
const picture = async (name) => PICTURES && (await page.screenshot({ path: `${PICTURES}/${name}.png` }));
const text = (view) => page.evaluate((view) => document.getElementById(view).shadowRoot.textContent, view);
const says = (view, pattern) =>
  page.waitForFunction(
    ([view, source]) => new RegExp(source).test(document.getElementById(view).shadowRoot.textContent),
    [view, pattern.source], wait,
  );

/** The longest that the page's main thread computed without a pause while `action` ran, in ms of its own time. */
async function longestBlock(action) {
  const found = [];
  const collect = ({ value }) => found.push(...value);
  devtools.on("Tracing.dataCollected", collect);
  await devtools.send("Tracing.start", { transferMode: "ReportEvents", categories: "toplevel,__metadata,disabled-by-default-devtools.timeline" });
  await action();
  const done = new Promise((resolve) => devtools.once("Tracing.tracingComplete", resolve));
  await devtools.send("Tracing.end");
  await done;
  devtools.off("Tracing.dataCollected", collect);
  const main = new Set(found.filter((event) => event.name === "thread_name" && event.args.name === "CrRendererMain").map(({ pid, tid }) => `${pid} ${tid}`));
  const tasks = found.filter(({ name, pid, tid }) => /RunTask/.test(name) && main.has(`${pid} ${tid}`));
  assert.ok(tasks.length > 0, "the trace has no tasks");
  return Math.max(...tasks.map(({ tdur = 0 }) => tdur)) / 1000;
}

test("tens of thousands of steps scroll, follow the newest and are chosen by keyboard", async () => {
  await show(["steps", "nodes", "alerts"]);
  await says("steps", /5\d,\d{3} steps/);
  const total = Number((await text("steps")).match(/(5\d,\d{3}) steps/)[1].replace(",", ""));
  const steps = rows("Steps");
  const row = (index) => steps.getByRole("row", { name: `Step ${index},` });
  await row(total - 1).waitFor();
  assert.ok((await steps.getByRole("row").count()) < 60, "rows out of sight don't exist");
  assert.equal(await steps.getAttribute("aria-rowcount"), String(total + 1));
  await picture("steps-light");

  const block = await longestBlock(async () => {
    await steps.focus();
    await page.keyboard.press("Home");
    await row(0).waitFor();
    for (let turn = 0; turn < 20; turn++) await page.mouse.wheel(0, 40_000);
    await page.keyboard.press("PageDown");
    await page.keyboard.press("ArrowDown");
    await steps.locator('[aria-selected="true"]').waitFor();
  });
  console.log(`scrolling ${total} steps: ${block.toFixed(0)} ms at most`);
  assert.ok(block < 100, `the main thread was busy for ${block} ms`);
  assert.equal(await page.getByRole("button", { name: "Follow the newest step" }).getAttribute("aria-pressed"), "false");

  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await page.waitForFunction("views.host.opened.length > 0");
  assert.match((await opened())[0].path, /views\.py$/);
  assert.equal(await page.evaluate("views.host.selection.step"), 0);
  await page.getByRole("button", { name: "Follow the newest step" }).click();
  await row(total - 1).waitFor();
  assert.match(await page.getByRole("img", { name: /Time of the steps/ }).getAttribute("aria-label"), /loss from .* to /);
});

test("the nodes of a step are filtered, lead to their lines, and to each other", async () => {
  await select({ step: 20 });
  const nodes = rows("Nodes of step 20");
  await nodes.getByRole("row", { name: /linear/ }).first().waitFor();
  await page.getByRole("combobox", { name: "Phase" }).selectOption("backward");
  await nodes.getByRole("row", { name: /AddmmBackward0/ }).first().waitFor();
  await nodes.getByRole("row", { name: /linear/ }).first().waitFor({ state: "detached" });
  await page.getByRole("searchbox", { name: "Filter by name or operation" }).fill("relub");
  await says("nodes", /1 node[^s]/);
  await nodes.getByRole("row", { name: /ReluBackward0/ }).click();
  const details = page.locator("#nodes .details");
  await details.getByText("Made by").waitFor();
  await picture("nodes-light");
  await details.getByRole("button", { name: /^#\d+$/ }).first().click();
  await details.getByText("aten::relu").waitFor();
  await details.getByRole("button", { name: /^views\.py:/ }).click();
  assert.match((await opened())[0].path, /views\.py$/);
  await details.getByRole("button", { name: "View output 0" }).click();
  const [target] = await opened();
  assert.equal(target.kind, "output");
  assert.equal(target.step, 20);
});

test("an alert says what happened, and leads to its step and line", async () => {
  const alerts = page.locator("#alerts");
  await alerts.getByRole("button", { name: /NaN 1/ }).click();
  await alerts.getByRole("grid").focus();
  await page.keyboard.press("ArrowDown");
  await alerts.getByRole("region", { name: "The chosen alert" }).getByText(/NaN/).first().waitFor();
  await page.waitForFunction("views.host.selection.step === 31");
  await page.keyboard.press("Enter");
  assert.match((await opened())[0].path, /views\.py$/);
});

test("a graph of more than 10,000 nodes is laid out while the page stays responsive", async () => {
  await select({ step: 0 });
  const block = await longestBlock(async () => {
    await show(["graph"], { width: 1300, theme: "dark" });
    await says("graph", /1\d,\d{3} nodes/);
    await page.waitForFunction(() => {
      const { textContent } = document.getElementById("graph").shadowRoot;
      return /1\d,\d{3} nodes/.test(textContent) && /laying out [1-9]/.test(textContent);
    }, undefined, wait);
    await select({ step: 0, node: 1000 });
    await page.locator("#graph .details").getByText("Operation").waitFor();
  });
  console.log(`laying out the graph: ${block.toFixed(0)} ms at most`);
  assert.ok(block < 100, `the main thread was busy for ${block} ms`);
  await picture("graph-dark");

  const graph = page.getByRole("application", { name: /^Graph of 1\d,\d{3} nodes/ });
  await graph.focus();
  await page.keyboard.press("ArrowDown");
  await page.waitForFunction("views.host.selection.node > 1000");
  const below = await page.evaluate("views.host.selection.node");
  await page.locator('#graph [aria-live="polite"]').getByText(`Node ${below}`).waitFor();
  await page.keyboard.press("b");
  await page.waitForFunction("views.host.selection.node > 5600");
  await page.keyboard.press("Enter");
  assert.match((await opened())[0].path, /views\.py$/);
  await page.getByRole("searchbox", { name: /Find a node/ }).fill("mean");
  await page.keyboard.press("Enter");
  await page.locator('#graph [aria-live="polite"]').getByText(/mean/i).waitFor();
  const zoomed = await longestBlock(async () => {
    await graph.focus();
    await page.keyboard.press("0");
    for (let turn = 0; turn < 5; turn++) await page.keyboard.press("+");
  });
  console.log(`drawing all of the graph: ${zoomed.toFixed(0)} ms at most`);
  assert.ok(zoomed < 100, `the main thread was busy for ${zoomed} ms`);
  await picture("graph-whole-dark");
});

test("a graph leads from forward to backward and back", async () => {
  await select({ step: 20, node: 0 });
  await says("graph", /20 nodes/);
  await page.locator('#graph [aria-live="polite"]').getByText(/Node 0, linear/).waitFor();
  const graph = page.getByRole("application");
  await graph.focus();
  await page.keyboard.press("ArrowDown");
  await page.locator('#graph [aria-live="polite"]').getByText(/relu/).waitFor();
  await page.keyboard.press("b");
  await page.locator('#graph [aria-live="polite"]').getByText(/ReluBackward0/).waitFor();
  await page.keyboard.press("b");
  await page.locator('#graph [aria-live="polite"]').getByText(/relu/).waitFor();
  await picture("graph-small-dark");
});

const expression = (expression) => show(["tensor"], { width: 1300, theme: "dark", options: { target: { kind: "expression", expression } } });
const cell = (value) => page.locator("#tensor").getByRole("gridcell", { name: value, exact: true });

test("a tensor of three dimensions is a table whose slices can be turned, with NaN and Inf marked", async () => {
  await expression("volume");
  await page.getByLabel("Statistics").getByText("61,440").waitFor();
  await page.getByRole("status", { name: "1 NaN element", exact: true }).waitFor();
  await page.getByRole("status", { name: "2 Inf elements" }).waitFor();
  const asked = await page.evaluate("views.host.asked.length");
  const slider = page.getByRole("slider", { name: "Index in dimension 0" });
  await slider.focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await page.locator("#tensor .cell.nan").waitFor();
  assert.equal(await page.locator("#tensor .cell.nan").textContent(), "nan");
  assert.deepEqual(await page.locator("#tensor .cell.inf").allTextContents(), ["inf", "-inf"]);
  await picture("tensor-table-dark");
  const table = page.getByRole("grid", { name: "Elements of volume" });
  await table.focus();
  await page.keyboard.press("Control+End");
  await page.locator('#tensor [aria-selected="true"][title^="[95, 127]"]').waitFor();
  assert.ok((await page.locator("#tensor .cell").count()) < 900, "cells out of sight don't exist");
  assert.ok((await page.evaluate("views.host.asked.length")) - asked < 40, "elements out of sight aren't fetched");
});

test("it is a heat map, a histogram and, where it looks like one, an image", async () => {
  await page.getByRole("tab", { name: "Table" }).focus();
  await page.keyboard.press("ArrowRight");
  const map = page.getByRole("img", { name: "Heat map of volume, 96 by 128" });
  await map.waitFor();
  const pixel = (x, y) => map.evaluate((canvas, [x, y]) => [...canvas.getContext("2d").getImageData(x, y, 1, 1).data], [x, y]);
  await page.waitForFunction(() => {
    const canvas = document.getElementById("tensor").shadowRoot.querySelector(".frame canvas");
    return canvas?.getContext("2d").getImageData(127, 95, 1, 1).data[3] === 255;
  }, undefined, wait);
  assert.deepEqual(await pixel(3, 10), [255, 0, 255, 255], "NaN");
  assert.deepEqual(await pixel(4, 11), [255, 140, 0, 255], "Inf");
  await picture("tensor-heat-dark");
  await page.getByRole("tab", { name: "Histogram" }).click();
  await page.getByRole("img", { name: /^Histogram of 61,437 elements/ }).waitFor();
  await page.locator("#tensor .uplot").waitFor();
  await picture("tensor-histogram-dark");
  await expression("picture");
  await page.getByRole("tab", { name: "Image" }).click();
  await page.getByRole("img", { name: "Image of picture, 96 by 128" }).waitFor();
  assert.equal(await page.getByRole("combobox", { name: "Channels" }).inputValue(), "CHW");
  await picture("tensor-image-dark");
});

test("millions of elements can be walked through; what can't be read says why", async () => {
  await expression("wide");
  await page.getByRole("tab", { name: "Table" }).click();
  await page.getByRole("grid", { name: "Elements of wide" }).focus();
  await page.keyboard.press("Control+End");
  await page.locator('#tensor [aria-selected="true"][title^="[1999, 2999]"]').waitFor();
  await expression("vector");
  await page.getByRole("grid", { name: "Elements of vector" }).focus();
  await page.keyboard.press("Control+End");
  await page.locator('#tensor [aria-selected="true"][title="[999999, 0] = 999999"]').waitFor();
  await expression("nothing_of_that_name");
  await page.getByRole("alert").getByText(/nothing_of_that_name/).waitFor();
});

test("a tensor is read again at each stop, unless that is turned off", async () => {
  await expression("scalar");
  await cell("0").waitFor();
  await page.evaluate("views.continue()");
  await cell("1").waitFor();
  await page.getByRole("button", { name: "Read it again at each stop" }).click();
  await page.evaluate("views.continue()");
  await page.getByText("as of an earlier stop").waitFor();
  assert.equal(await cell("1").count(), 1);
});

test("high contrast, dropped records, a lost connection and the end are seen", async () => {
  await select({ step: 20, node: 1 });
  await show(["steps", "nodes", "graph"], { theme: "contrast" });
  await rows("Nodes of step 20").getByRole("row", { name: /ReluBackward0/ }).first().waitFor();
  await picture("contrast");
  await page.evaluate("views.host.tell('dropped', { count: 7 })");
  await page.locator("#steps").getByText(/7 records dropped/).waitFor();
  await page.evaluate("views.host.tell('connection', 'the kernel is gone')");
  await page.locator("#steps").getByRole("alert").getByText("The kernel is gone").waitFor();
  await page.evaluate("views.host.tell('connection', undefined)");
  await page.evaluate("views.host.end()");
  await page.locator("#steps").getByText("views.py has ended.").waitFor();
  await rows("Steps").getByRole("row", { name: /^Step 50\d{3},/ }).first().waitFor();
});
