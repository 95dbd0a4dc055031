// What people do in VS Code's window: clicks and keys, and what they then see. Prints a line for each check.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { browser, colours, until, Workbench } from "./workbench.mjs";

const { CODE_SERVER, FOLDER, JOB } = process.env;

/** Line of a file, from 1, that is marked `# @name`. */
function line(file, name) {
  const lines = readFileSync(join(FOLDER, file), "utf8").split("\n");
  return lines.findIndex((one) => one.includes(`# @${name}`)) + 1;
}

/** One debug session each; where a check fails, those after it in the session are not tried. */
const mlp = {
  async "a click in the gutter and F5 stop a program without a launch.json"(window) {
    await window.openFile("torch_mlp.py");
    await window.breakpoint(line("torch_mlp.py", "drop"));
    await window.debug();
    await window.standsAt(line("torch_mlp.py", "drop"));
    await window.fold("Watch");
  },

  async "Variables show dtype, shape and device first"(window) {
    await window.variable("Locals", /^x = float32 \(16, 32\) cpu/);
    await window.variable("Locals", /^self = MLP: 4 children, 901 parameters/);
  },

  async "step over moves"(window) {
    await window.page.keyboard.press("F10");
    await window.standsAt(line("torch_mlp.py", "last"));
  },

  async "a stop in backward stands on the forward line"(window) {
    await window.page.keyboard.press("F5");
    await window.frame(`MulBackward0 torch_mlp.py ${line("torch_mlp.py", "drop")}:1`);
    await window.frame(`main torch_mlp.py ${line("torch_mlp.py", "backward")}:1`, 1);
    await window.variable("Locals", /^grad_outputs = /);
    await window.picture("backward");
  },

  async "Steps fill as the program goes on"(window) {
    await window.focusView("Steps");
    const steps = await window.view("steps");
    for (const step of [0, 1]) {
      await window.page.keyboard.press("F5");
      await window.frame(`forward torch_mlp.py ${line("torch_mlp.py", "drop")}:1`);
      await steps.getByRole("row", { name: new RegExp(`^Step ${step}, SGD\\.step`) }).waitFor();
      if (step === 1) break;
      await window.page.keyboard.press("F5");
      await window.frame(`MulBackward0 torch_mlp.py ${line("torch_mlp.py", "drop")}:1`);
    }
  },

  async "inlay hints show what each line made in the last step, once"(window) {
    const shown = window.page.locator(".view-line", { hasText: "self.first(x)" });
    await shown.filter({ hasText: "float32 (16, 32) cpu" }).waitFor();
    assert.equal((await shown.innerText()).match(/float32/g).length, 1);
  },

  async "Nodes fill, and a click on one goes to its line"(window) {
    await window.fold("Breakpoints");
    await window.focusView("Nodes");
    const nodes = await window.view("nodes");
    const row = nodes.getByRole("row", { name: /linear/i }).first();
    await row.waitFor();
    await row.dblclick();
    await window.cursorAt(line("torch_mlp.py", "first"));
    await window.picture("steps");
  },

  async "Graph fills, and marks the node of the line"(window) {
    await window.command("graphdebug: Show Graph of the Step");
    const graph = await window.view("graph");
    await graph.getByLabel(/^Graph of \d\d nodes/).waitFor();
    await graph.getByText(/The program stands at .*dropout/).waitFor({ state: "attached" });
    await graph.getByText(/laying out/).waitFor({ state: "detached" });
    await until(async () => (await colours(graph)) > 5, undefined, () => "the graph to be drawn");
    await window.picture("graph");
    await window.closeTab("Graph");
  },

  async "a tensor opens from Variables as grid, heat map and histogram"(window) {
    await window.menu((await window.variables("Locals")).filter({ hasText: /^\s*x\s*=/ }).first(), "View Tensor");
    const tensor = await window.view("tensor");
    const cells = tensor.getByRole("grid", { name: "Elements of x" }).getByRole("gridcell");
    await cells.filter({ hasText: /^-?\d/ }).nth(20).waitFor();
    await tensor.getByText("float32 (16, 32) cpu").first().waitFor();
    await window.picture("tensor");
    for (const kind of ["Heat map", "Histogram"]) {
      await tensor.getByRole("tab", { name: kind }).click();
      await until(async () => (await colours(tensor)) > 2, undefined, () => `the ${kind} to be drawn`);
      await window.picture(`tensor-${kind.split(" ")[0].toLowerCase()}`);
    }
  },

  async "and is read again at the next stop"(window) {
    const tensor = await window.view("tensor");
    const mean = async () => (await tensor.locator(".statistics").innerText()).replace(/\s+/g, " ");
    const before = await mean();
    await window.page.locator(".codicon-debug-continue").first().click();
    await window.frame("MulBackward0");
    await window.page.locator(".codicon-debug-continue").first().click();
    await window.frame("forward torch_mlp.py");
    await until(async () => (await mean()) !== before, undefined, () => "other statistics");
    await window.closeTab("x");
  },

  async "step back walks the record"(window) {
    await window.stepBack();
    await window.frame("relu [0] cpu, forward, step");
    await window.stepBack();
    await window.frame("batch_norm [0] cpu, forward, step");
    await window.page.keyboard.press("Shift+F11");
    await window.standsAt(line("torch_mlp.py", "drop"));
    await window.end();
  },
};

const loop = {
  async "a TensorFlow breakpoint says boundary before the program runs"(window) {
    await window.openFile("seed_tensorflow.py");
    await window.breakpoint(line("seed_tensorflow.py", "add"));
    await window.textAfter("tf.add(first_counter, 2)", /boundary: builds nodes of the static graph/);
    await window.page.locator(".glyph-margin-widgets .cgmr[class*=ced-]").waitFor();
    await window.picture("boundary-before");
  },

  async "and stops there, when the graph has run"(window) {
    await window.debug();
    await window.says("Building graph");
    await window.standsAt(line("seed_tensorflow.py", "add"));
    await window.page.keyboard.press("F5");
    await window.standsAt(line("seed_tensorflow.py", "run"));
    await window.says("Graph boundary");
    await window.variable("Locals", /^c1 = int32 \(\) symbolic/);
    await window.textAfter("tf.add(first_counter, 2)", /boundary: the nodes that this line builds run inside/);
    await window.picture("boundary");
  },

  async "and the Breakpoints view says so, too"(window) {
    await window.unfold("Breakpoints");
    await window.page.locator(".debug-breakpoints .monaco-list-row", { hasText: "seed_tensorflow.py" }).hover();
    await window.page.locator(".workbench-hover", { hasText: /boundary: the nodes that this line builds/ }).waitFor();
    await window.fold("Breakpoints");
  },

  async "step back walks the graph's record, iteration by iteration"(window) {
    await window.stepBack();
    await window.says("Graph replay");
    await window.frame("while/Identity");
    for (const [iteration, value] of [[9, 20], [8, 18]]) {
      await window.reverse();
      await window.frame(`while/body/_1/Add [${iteration}]`);
      await window.variable("Outputs", new RegExp(`^first_counter = int32 \\(\\) /device:CPU:0 ${value}$`));
    }
    await window.cursorAt(line("seed_tensorflow.py", "add"));
  },

  async "and the graph follows it, from node to node"(window) {
    await window.command("graphdebug: Show Graph of the Step");
    const graph = await window.view("graph");
    const node = async () => (await window.frames())[0].split(" /device:")[0];
    const follows = async () => graph.getByText(`, ${await node()},`).waitFor({ state: "attached" });
    const eighth = await node();
    assert.equal(eighth, "while/body/_1/Add [8]");
    await follows();
    await graph.getByText(/laying out/).waitFor({ state: "detached" });
    await window.picture("record");
    await window.stepBack();
    await until(async () => (await node()) !== eighth);
    await follows();
    await window.end();
    await window.closeTab("Graph");
  },
};

const elsewhere = {
  async "a job elsewhere is attached to from the dialog, by its address and its file"(window) {
    const job = await listening("streams.py", "200");
    try {
      await window.openFile("streams.py");
      await window.breakpoint(line("streams.py", "step"));
      await window.command("graphdebug: Attach to a Running Program...");
      await window.choose("Type where it listens...");
      await window.answer("Where the program listens", job.address);
      await window.answer("The job's file", job.file);
      await window.standsAt(line("streams.py", "step"));
      await window.end();
      assert.equal(job.process.exitCode, null);
    } finally {
      job.process.kill();
    }
  },
};

/** A program of another user's machine, as far as this one knows: its address, and its file, which was copied. */
async function listening(program, ...args) {
  const environment = JSON.parse(JOB);
  const command = ["-m", "graphdebug", "run", "--listen", "127.0.0.1:0", join(FOLDER, program), ...args];
  const child = spawn(join(FOLDER, ".venv", "bin", "python"), command, {
    env: { ...process.env, ...environment },
    stdio: "ignore",
  });
  const registry = join(environment.XDG_RUNTIME_DIR, "graphdebug");
  const jobs = () => (existsSync(registry) ? readdirSync(registry).filter((name) => name.endsWith(".json")) : []);
  const [name] = await until(() => jobs().length > 0 && jobs());
  const { addresses } = JSON.parse(readFileSync(join(registry, name), "utf8"));
  const file = join(FOLDER, "job.json");
  copyFileSync(join(registry, name), file);
  chmodSync(file, 0o600);
  return { process: child, address: addresses[0].replace(/^\w+:/, ""), file };
}

const numbers = {
  async "the NaN filter in Breakpoints stops where the first one is made"(window) {
    await window.openFile("nan_stops.py");
    await window.unfold("Breakpoints");
    const filter = window.page.locator(".debug-breakpoints .monaco-list-row", { hasText: "NaN and Inf" });
    await filter.locator("input[type=checkbox], .monaco-custom-toggle").first().click();
    await window.debug();
    await window.standsAt(line("nan_stops.py", "forward"));
    await window.page.locator(".zone-widget.exception-widget, .exception-widget", { hasText: /Inf|inf/ }).waitFor();
    await window.frame(`in_forward nan_stops.py ${line("nan_stops.py", "forward")}:1`, 1);
    await window.picture("nan");
  },

  async "and Alerts say what it was, once it did harm"(window) {
    await window.focusView("Alerts");
    const alerts = await window.view("alerts");
    await alerts.getByText("No alerts yet").waitFor();
    await window.page.locator(".codicon-debug-continue").first().click();
    await alerts.getByRole("row", { name: /log \(nan_stops\.py:14\) made Inf/ }).waitFor();
    const filter = window.page.locator(".debug-breakpoints .monaco-list-row", { hasText: "NaN and Inf" });
    await filter.locator("input[type=checkbox], .monaco-custom-toggle").first().click();
    await window.end();
  },
};

const chromium = await browser();
const window = await Workbench.open(chromium, CODE_SERVER, FOLDER);
try {
  for (const session of [mlp, loop, numbers, elsewhere]) {
    let failed;
    for (const [name, check] of Object.entries(session)) {
      const began = Date.now();
      try {
        if (failed) throw new Error(`not tried, since this failed: ${failed}`);
        await check(window);
        console.log(`ok ${name} (${Date.now() - began} ms)`);
      } catch (error) {
        if (!failed) await window.picture(`failed: ${name}`).catch(() => {});
        failed ??= name;
        console.log(`not ok ${name}: ${error.stack}`);
      }
    }
    if (failed) await window.end().catch(() => {});
  }
  const thrown = window.errors.join("\n");
  console.log(thrown ? `not ok nothing is thrown in the page: ${thrown}` : "ok nothing is thrown in the page (0 ms)");
} finally {
  await chromium.close();
}
