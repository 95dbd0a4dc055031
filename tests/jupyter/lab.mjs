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
    await lab.widen(200);
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
    // What it gives back, a whole notebook perhaps, stays in the page.
    await this.page.evaluate(async ([id, args]) => {
      await window.jupyterapp.commands.execute(id, args);
    }, [id, args]);
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

  /** Off again, lest JupyterLab turns it on in a kernel that starts anew, in the middle of an import. */
  async debuggerOff() {
    const bug = this.front.locator(".jp-DebuggerBugButton").first();
    await bug.click();
    await this.until(async () => (await bug.getAttribute("aria-pressed")) === "false", "no debugger");
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
    this.running = { number, prompt: await this.prompt(number) };
    await this.cell(number).locator(".cm-content").click();
    await this.page.keyboard.press("Control+Enter");
  }

  async prompt(number) {
    return this.cell(number).locator(".jp-InputPrompt").innerText();
  }

  /** Whether the cell that was started is over. */
  async over() {
    const now = await this.prompt(this.running.number);
    return /\d/.test(now) && now !== this.running.prompt;
  }

  /** Drag the sidebar's edge to the left. */
  async widen(pixels) {
    const { x, y, height } = await this.sidebar.boundingBox();
    const { mouse } = this.page;
    await mouse.move(x - 2, y + height / 2);
    await mouse.down();
    await mouse.move(x - 2 - pixels, y + height / 2, { steps: 4 });
    await mouse.up();
    await this.until(async () => (await this.sidebar.boundingBox()).width > 300, "a wider sidebar");
  }

  /** Show the sidebar; JupyterLab's debugger opens its own when it is turned on. */
  async show() {
    if (!(await this.sidebar.isVisible())) {
      await this.page.locator('.jp-SideBar.jp-mod-right .lm-TabBar-tab[title^="graphdebug"]').click();
    }
    await this.sidebar.waitFor();
  }

  /** What the sidebar says of that many breakpoints. */
  async messages(count) {
    const rows = this.sidebar.locator(".graphdebug-breakpoints li");
    await rows.nth(count - 1).waitFor();
    return rows.allInnerTexts();
  }

  /**
   * Wait until the thread stands or the cell is over; what is said where it stands, and the variables.
   * `says`: whether something is going to be said.
   */
  async stopOrEnd(says) {
    const stands = this.page.locator(".jp-DebuggerEditor-highlight");
    const variables = this.page.locator(".jp-DebuggerVariables");
    let over = false;
    let said = "";
    await this.until(async () => {
      over = await this.over();
      if (over || !(await stands.count())) return over;
      const text = await variables.textContent();
      if (!text.includes("counter") || text === this.before) return false;
      said = await this.sidebar.locator(".graphdebug-stop").innerText();
      if (says && !said) return false;
      this.before = text;
      return true;
    }, "a stop");
    if (over) return undefined;
    return { said, variables: this.before };
  }

  /** Go on from a stop. */
  async goOn() {
    await this.command("debugger:continue");
  }

  /** Run a cell to its end. */
  async run(number) {
    await this.start(number);
    await this.until(() => this.over(), `cell ${number} to end`);
  }

  get counted() {
    return this.sidebar.getByText(/^[\d,.\s]+ steps?\b/).first();
  }

  /** How many steps the sidebar says there are. */
  async steps() {
    if (!(await this.counted.count())) return 0;
    return Number(/^[\d,]+/.exec(await this.counted.innerText())[0].replaceAll(",", ""));
  }

  /** Wait until it says so. */
  async stepsAre(count) {
    await this.until(async () => (await this.steps()) === count, `${count} steps`, () => this.steps());
  }

  /** Wait until it says more; how many. */
  async stepsBeyond(count) {
    let now = count;
    await this.until(async () => (now = await this.steps()) > count, `more than ${count} steps`);
    return now;
  }

  /** Wait until what is said to be there is what the server has. */
  async settled() {
    await this.until(async () => (await this.steps()) === (await this.known()), "all steps", () => this.steps());
  }

  /** How many steps the server has of the kernel in front. */
  async known() {
    return this.page.evaluate(async () => {
      const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
      const answer = await fetch(`/graphdebug/kernels/${kernel.id}/steps?begin=0&end=0`);
      return (await answer.json()).total;
    });
  }

  /** The nodes that the server has of a step. */
  async nodes(step) {
    return this.page.evaluate(async (step) => {
      const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
      const answer = await fetch(`/graphdebug/kernels/${kernel.id}/nodes?step=${step}`);
      return (await answer.json()).nodes.map(({ name, iteration }) => ({ name, iteration }));
    }, step);
  }

  async until(condition, what, now = () => "") {
    const end = Date.now() + PATIENCE;
    while (!(await condition())) {
      if (Date.now() > end) throw new Error(`waited for ${what}: ${await now()}`);
      await this.page.evaluate(() => new Promise(requestAnimationFrame));
    }
  }

  /** The rows that the list of steps shows. */
  async stepRows() {
    return this.sidebar.locator('[aria-label="Steps"] [role="row"], [role="row"]').allInnerTexts();
  }

  async status() {
    return this.page.evaluate(() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status);
  }

  async openNotebook(path) {
    await this.command("docmanager:open", { path });
    await this.page.waitForFunction((path) => window.jupyterapp.shell.currentWidget?.context?.path === path, path);
    await this.idle();
  }

  async restart() {
    const done = this.command("notebook:restart-clear-output");
    await this.page.locator(".jp-Dialog .jp-mod-accept").click();
    await done;
    await this.idle();
  }

  /** Press the button in the notebook's toolbar. */
  async toggle(on) {
    const button = this.front.locator(".graphdebug-toggle").first();
    await button.click();
    await this.front.locator(`.graphdebug-toggle[aria-pressed="${on}"], .graphdebug-toggle [aria-pressed="${on}"]`).first().waitFor();
  }

  /** Show a tensor in a panel of its own; what is said of it. */
  async tensor(expression) {
    await this.command("graphdebug:show-tensor", { expression });
    const panel = this.page.locator("#graphdebug-tensor");
    await panel.getByText(/float32/).first().waitFor();
    const text = await panel.locator(".bar").first().innerText();
    await this.page.evaluate(() => {
      [...window.jupyterapp.shell.widgets("main")].find(({ id }) => id === "graphdebug-tensor").close();
    });
    return text;
  }

  /** The colour behind a view, another than this one. */
  async background(other) {
    const read = () => this.page.evaluate(() => {
      const view = document.querySelector("#graphdebug-sidebar .graphdebug-place").shadowRoot.host;
      return getComputedStyle(view).getPropertyValue("--gd-background").trim() || getComputedStyle(view).color;
    });
    await this.until(async () => (await read()) !== other, "another colour");
    return read();
  }

  /** The active cell's number among all, and the line that is selected in it. */
  async activeCell() {
    return this.page.evaluate(() => {
      const { content } = window.jupyterapp.shell.currentWidget;
      return [content.activeCellIndex, content.activeCell.editor?.getSelection().start.line];
    });
  }

  /** Choose a setting of ours in the settings editor; what the kernel in front then records. */
  async set(name, value) {
    const kernel = await this.page.evaluate(() => window.jupyterapp.shell.currentWidget.sessionContext?.session?.kernel?.id);
    this.observed = kernel ?? this.observed;
    await this.command("settingeditor:open", { query: "graphdebug" });
    const choice = this.page.locator(`#jp-SettingsEditor select[id$="_${name}"], .jp-SettingsPanel select[id$="_${name}"]`).first();
    await choice.selectOption({ label: value });
    const recorded = () => this.page.evaluate(async (id) => {
      const answer = await fetch(`/graphdebug/kernels/${id}/state`);
      return (await answer.json()).capture;
    }, this.observed);
    await this.until(async () => (await recorded()) === value, `${name} to be ${value}`, recorded);
    return recorded();
  }

  /** A picture in the light theme, and one in the dark. */
  async pictures(path) {
    await this.page.screenshot({ path });
    const light = await this.background();
    await this.command("apputils:change-theme", { theme: "JupyterLab Dark" });
    const dark = await this.background(light);
    await this.page.locator("#jupyterlab-splash").waitFor({ state: "detached" });
    await this.page.screenshot({ path: path.replace(".png", "-dark.png") });
    await this.command("apputils:change-theme", { theme: "JupyterLab Light" });
    await this.background(dark);
  }
}
