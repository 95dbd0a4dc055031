// VS Code's window in a browser, and what people do in it.
import { chromium } from "playwright-core";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];
const PATIENCE = Number(process.env.PATIENCE ?? 60_000);

export async function browser() {
  return chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, args: FLAGS });
}

export class Workbench {
  /** Open a folder in a window of its own. */
  static async open(browser, address, folder, { size = { width: 1440, height: 1160 }, payload, prepare } = {}) {
    const context = await browser.newContext({ viewport: size });
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    await prepare?.(page);
    const query = new URLSearchParams({ folder });
    if (payload) query.set("payload", JSON.stringify(payload));
    await page.goto(`${address}/?${query}`, { waitUntil: "domcontentloaded" });
    await page.locator(".monaco-workbench").waitFor();
    return new Workbench(page);
  }

  constructor(page) {
    this.page = page;
    this.errors = [];
    page.on("pageerror", (error) => this.errors.push(String(error)));
  }

  async close() {
    await this.page.context().close();
  }

  /** Run a command of the palette, which closes again where something else takes the focus. */
  async command(title) {
    const input = this.page.locator(".quick-input-widget input").first();
    const row = this.page.locator(".quick-input-list .monaco-list-row").first();
    const found = row.filter({ hasText: title.split(": ").at(-1) });
    const offers = async () => {
      await this.page.keyboard.press("F1");
      await input.fill(`>${title}`, { timeout: 3000 });
      await found.waitFor({ timeout: 10000 });
      return true;
    };
    await until(() => offers().catch(() => false));
    await this.page.keyboard.press("Enter");
  }

  /** Choose from the list that is asked with. */
  async choose(label) {
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: label }).click();
  }

  /** Type the answer to a question. */
  async answer(title, text) {
    await this.page.locator(".quick-input-title", { hasText: title }).waitFor();
    await this.page.locator(".quick-input-widget input").first().fill(text);
    await this.page.keyboard.press("Enter");
  }

  /** Open a file of the folder. */
  async openFile(name) {
    await this.page.keyboard.press("Control+P");
    const input = this.page.locator(".quick-input-widget input").first();
    await input.fill(name);
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: name }).first().waitFor();
    await this.page.keyboard.press("Enter");
    await this.page.locator(".tab.active", { hasText: name }).waitFor();
    await this.page.locator(".editor-instance .view-line").first().waitFor();
  }

  /** Click beside the number of a line; it may need scrolling to. */
  async breakpoint(line) {
    await this.goTo(line);
    const { page } = this;
    const number = page.locator(".editor-instance .line-numbers", { hasText: new RegExp(`^${line}$`) });
    const box = await number.boundingBox();
    const margin = { x: box.x - 8, y: box.y + box.height / 2 };
    const glyphs = page.locator(".codicon-debug-breakpoint, .codicon-debug-breakpoint-unverified");
    const before = await glyphs.count();
    // The editor takes clicks in its margin only once its contributions are there.
    for (let turn = 0; turn < 20 && (await glyphs.count()) === before; turn++) {
      await page.mouse.move(margin.x, margin.y);
      await page.mouse.click(margin.x, margin.y);
      await until(async () => (await glyphs.count()) > before, 1000).catch(() => {});
    }
  }

  async goTo(line) {
    await this.page.keyboard.press("Control+G");
    await this.page.locator(".quick-input-widget input").first().fill(`:${line}`);
    await this.page.keyboard.press("Enter");
    await this.page.locator(".editor-instance .line-numbers.active-line-number", { hasText: new RegExp(`^${line}$`) }).waitFor();
  }

  /** F5, and wait until the program stops. */
  async debug() {
    await this.page.keyboard.press("F5");
    await this.stopped();
  }

  async stopped() {
    await this.page.locator(".debug-top-stack-frame-line, .debug-focused-stack-frame-line").first().waitFor();
    await this.page.locator(".debug-call-stack .stack-frame").first().waitFor();
  }

  /** Wait until the topmost frame is this one: name, file and place, as the Call Stack shows them. */
  async frame(text, at = 0) {
    await until(async () => (await this.frames())[at]?.includes(text), PATIENCE, () => `the frame ${text}`);
  }

  /** Wait until the head of the Call Stack says why the program stands still. */
  async says(text) {
    await this.page.locator(".pane-header", { hasText: text }).waitFor();
  }

  /** Wait for what a decoration writes after a line's own text. */
  async textAfter(code, pattern) {
    const line = this.page.locator(".view-line", { hasText: code });
    const written = () =>
      line.evaluate((element) =>
        [...element.querySelectorAll("span")].map((span) => window.getComputedStyle(span, "::after").content).join(" "),
      );
    await until(async () => pattern.test(await written()), PATIENCE, () => `${pattern} after ${code}`);
  }

  /** Wait until the topmost frame stands at a line. */
  async standsAt(line) {
    const top = this.page.locator(".debug-call-stack .stack-frame").first();
    await top.filter({ hasText: new RegExp(`${line}:\\d+`) }).waitFor();
  }

  async frames() {
    return texts(this.page.locator(".debug-call-stack .stack-frame"));
  }

  /** Wait for a variable, as `name = value`. */
  async variable(scope, pattern) {
    const rows = await this.variables(scope);
    await until(async () => (await texts(rows)).some((text) => pattern.test(text)), PATIENCE, () => `a variable ${pattern}`);
  }

  /** Expand a scope of Variables, and give the rows. */
  async variables(scope) {
    const rows = this.page.locator(".debug-variables .monaco-list-row");
    const row = rows.filter({ hasText: scope }).first();
    await row.waitFor();
    if ((await row.getAttribute("aria-expanded")) === "false") await row.locator(".monaco-tl-twistie").click();
    return rows;
  }

  /** The frame of a webview that shows a view of ours; the view's own elements are in its shadow tree. */
  async view(name) {
    let found;
    await until(async () => {
      for (const frame of this.page.frames()) {
        if (await frame.locator(`main[data-view=${name}]`).count().catch(() => 0)) found = frame;
      }
      return found;
    });
    return found.locator(`main[data-view=${name}]`);
  }

  async focusView(name) {
    await this.command(`Debug: Focus on ${name} View`);
  }

  /** Choose from the context menu of something. */
  async menu(of, item) {
    await of.click({ button: "right" });
    const menu = this.page.locator(".monaco-menu");
    await menu.locator(".action-item", { hasText: item }).waitFor();
    // A menu takes no click in its first moments, lest the one that opened it chooses.
    await until(async () => {
      await menu.locator(".action-item", { hasText: item }).click({ timeout: 1000 }).catch(() => {});
      return (await menu.count()) === 0;
    }, PATIENCE, () => `the menu to take ${item}`);
  }

  async closeTab(name) {
    const label = this.page.locator(".tab .label-name", { hasText: new RegExp(`^${name}$`) });
    await label.click({ button: "middle" });
    await label.waitFor({ state: "detached" });
  }

  /** Close a part of the sidebar, to make room for others. */
  async fold(name) {
    await this.#turn(name, "true");
  }

  async unfold(name) {
    await this.#turn(name, "false");
  }

  async #turn(name, from) {
    const header = this.page.locator(".pane-header", { hasText: name });
    if ((await header.getAttribute("aria-expanded")) === from) await header.locator(".title, .codicon").first().click();
  }

  async stepBack() {
    await this.page.locator(".codicon-debug-step-back").first().click();
  }

  /** To the last place on a line with a breakpoint. */
  async reverse() {
    await this.page.locator(".codicon-debug-reverse-continue").first().click();
  }

  async cursorAt(line) {
    const active = this.page.locator(".line-numbers.active-line-number");
    await active.filter({ hasText: new RegExp(`^${line}$`) }).first().waitFor();
  }

  async end() {
    await this.page.keyboard.press("Shift+F5");
    await this.page.locator(".debug-top-stack-frame-line").first().waitFor({ state: "detached" });
    await this.page.locator(".codicon-debug-stop").first().waitFor({ state: "detached" });
  }

  async picture(name) {
    const directory = process.env.PICTURES;
    if (!directory) return;
    mkdirSync(directory, { recursive: true });
    await this.page.mouse.move(700, 15); // out of what shows hovers
    await until(async () => (await this.page.locator(".workbench-hover:visible").count()) === 0);
    await this.page.screenshot({ path: join(directory, `${name}.png`) });
  }
}

/** How many colours the canvases of a view show: one or two where nothing is drawn. */
export async function colours(view) {
  return view.evaluate((element) => {
    const found = new Set();
    for (const canvas of element.shadowRoot.querySelectorAll("canvas")) {
      if (canvas.width === 0 || canvas.height === 0) continue;
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      for (let at = 0; at < data.length; at += 4) found.add(data.slice(at, at + 4).join());
    }
    return found.size;
  });
}

export async function texts(locator) {
  return (await locator.allInnerTexts()).map((text) => text.replace(/\s+/g, " ").trim());
}

/** Wait for a condition that nobody announces. */
export async function until(condition, timeout = PATIENCE, what = () => String(condition)) {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${timeout} ms for ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
