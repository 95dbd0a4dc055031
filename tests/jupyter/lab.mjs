// JupyterLab in a browser, and what people do in it.
import { createRequire } from "node:module";
import { join } from "node:path";

const shared = join(import.meta.dirname, "../../extension/shared/package.json");
const { chromium } = createRequire(shared)("playwright-core");

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
const PATIENCE = 60_000;

export async function browser() {
  return chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, args: FLAGS });
}

export class Lab {
  static async open(browser, url, token, notebook) {
    const context = await browser.newContext({ viewport: { width: 1500, height: 950 } });
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    const lab = new Lab(page);
    await page.goto(`${url}/lab/tree/${notebook}?token=${token}&reset`, { waitUntil: "domcontentloaded" });
    await lab.idle();
    await page.locator('.jp-SideBar.jp-mod-right .lm-TabBar-tab[title^="graphdebug"]').click();
    await lab.sidebar.waitFor();
    return lab;
  }

  constructor(page) {
    this.page = page;
    this.errors = [];
    this.outside = [];
    page.on("pageerror", (error) => this.errors.push(String(error)));
    page.on("request", (request) => {
      const { hostname, protocol } = new URL(request.url());
      if (protocol.startsWith("http") && hostname !== "127.0.0.1") this.outside.push(request.url());
    });
  }

  get sidebar() {
    return this.page.locator("#graphdebug-sidebar");
  }

  get front() {
    return this.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)");
  }

  /** A code cell by its number, from 0. */
  cell(number) {
    return this.front.locator(".jp-CodeCell").nth(number);
  }

  /** The kernel waits. */
  async idle() {
    await this.page.waitForFunction(() => {
      const panel = window.jupyterapp?.shell.currentWidget;
      return panel?.sessionContext?.session?.kernel?.status === "idle" && panel.content.widgets.length > 0;
    });
  }

  async command(id, args = {}) {
    await this.page.evaluate(([id, args]) => window.jupyterapp.commands.execute(id, args), [id, args]);
  }

  /** Turn JupyterLab's own debugger on. Its button loses a click now and then. */
  async debuggerOn() {
    const bug = this.front.locator(".jp-DebuggerBugButton").first();
    const gutter = this.front.locator(".jp-CodeCell .cm-gutter.cm-breakpoint-gutter").first();
    for (let left = 8; left > 0; left--) {
      if ((await bug.getAttribute("aria-pressed")) !== "true") await bug.click();
      try {
        await gutter.waitFor({ state: "attached", timeout: 4000 });
        return;
      } catch (error) {
        if (left === 1) throw error;
      }
    }
  }

  /** Click left of a line that has this text. */
  async breakpoint(number, text) {
    const cell = this.cell(number);
    await cell.scrollIntoViewIfNeeded();
    const line = await cell.locator(".cm-line", { hasText: text }).first().boundingBox();
    const gutter = await cell.locator(".cm-gutter.cm-breakpoint-gutter").boundingBox();
    await this.page.mouse.click(gutter.x + gutter.width / 2, line.y + line.height / 2);
    await cell.locator(".cm-gutterElement:visible .cm-breakpoint-icon:visible").first().waitFor();
  }

  /** Start a cell and don't wait. */
  async start(number) {
    await this.cell(number).locator(".cm-content").click();
    await this.page.keyboard.press("Control+Enter");
  }

  /** The rows of a view, as texts of their cells. */
  async rows(view) {
    return this.sidebar.locator(`[aria-label="${view}"]`).allInnerTexts();
  }

  async picture(path) {
    await this.page.screenshot({ path });
  }
}
