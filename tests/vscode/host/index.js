// Runs inside the extension host: each check uses the editor's own API, a real adapter and real programs.
const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { chmodSync, existsSync, readdirSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const v8 = require("node:v8");
const vm = require("node:vm");
const vscode = require("vscode");

const PATIENCE = 60_000;
const folder = vscode.workspace.workspaceFolders[0];
const at = (name) => vscode.Uri.joinPath(folder.uri, name);

/** Bytes in use once what nobody needs is thrown away. */
function heap() {
  v8.setFlagsFromString("--expose-gc");
  vm.runInNewContext("gc")();
  return process.memoryUsage().heapUsed;
}

async function until(what, condition, patience = PATIENCE) {
  const end = Date.now() + patience;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert(Date.now() < end, `waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Line of a file, from 1, that is marked `# @name`. */
async function line(file, name) {
  const text = (await vscode.workspace.openTextDocument(at(file))).getText();
  return text.split("\n").findIndex((one) => one.includes(`# @${name}`)) + 1;
}

async function breakpoint(file, name) {
  const place = new vscode.Position((await line(file, name)) - 1, 0);
  vscode.debug.addBreakpoints([new vscode.SourceBreakpoint(new vscode.Location(at(file), place))]);
}

const sessions = [];
vscode.debug.onDidStartDebugSession((session) => sessions.push({ session, events: [] }));
vscode.debug.onDidTerminateDebugSession((session) => {
  const found = sessions.find((one) => one.session.id === session.id);
  if (found) found.ended = true;
});
vscode.debug.registerDebugAdapterTrackerFactory("graphdebug", {
  createDebugAdapterTracker: (session) => ({
    onDidSendMessage: (message) => {
      if (message.type !== "event") return;
      const known = sessions.find((one) => one.session.id === session.id);
      if (known) known.events.push(message);
      else sessions.push({ session, events: [message] });
    },
  }),
});

function of(session) {
  return sessions.filter((one) => one.session.id === session.id);
}

async function stopped(session) {
  const event = await until("a stop", () =>
    of(session).flatMap(({ events }) => events).find((event) => event.event === "stopped" && !event.seen),
  );
  event.seen = true;
  const { stackFrames } = await session.customRequest("stackTrace", { threadId: event.body.threadId });
  return { threadId: event.body.threadId, frame: stackFrames[0] };
}

async function goOn(session) {
  const { threadId } = await stopped(session);
  await session.customRequest("continue", { threadId });
}

async function ended(session) {
  await until("the session's end", () => of(session).some((one) => one.ended));
}

async function debug(configuration) {
  const before = sessions.length;
  assert(await vscode.debug.startDebugging(folder, { type: "graphdebug", request: "launch", name: "test", ...configuration }));
  return (await until("a session", () => sessions[before])).session;
}

async function evaluate(session, frameId, expression) {
  return (await session.customRequest("evaluate", { expression, frameId, context: "repl" })).result;
}


const checks = {
  async "the manifest's commands are there, and the language server's"() {
    const extension = vscode.extensions.getExtension("graphdebug.graphdebug");
    await vscode.window.showTextDocument(at("static_functions.py"));
    await until("activation", () => extension.isActive);
    const named = extension.packageJSON.contributes.commands.map(({ command }) => command);
    const served = ["graphdebug.stopInside", "graphdebug.openDocumentation", "graphdebug.showStep"];
    await until("the commands", async () => {
      const known = await vscode.commands.getCommands(true);
      return [...named, ...served].every((command) => known.includes(command));
    });
  },

  async "the language server says where breakpoints are bound to the boundary, and adds a configuration"() {
    const file = at("static_functions.py");
    const [found] = await until("diagnostics", () => {
      const own = vscode.languages.getDiagnostics(file).filter(({ source }) => source === "graphdebug");
      return own.length > 0 && own;
    });
    assert.match(found.message, /boundary/);
    const actions = await until("code actions", async () => {
      const all = await vscode.commands.executeCommand("vscode.executeCodeActionProvider", file, found.range);
      const own = all.filter(({ command }) => command?.command.startsWith("graphdebug."));
      return own.length > 0 && own;
    });
    const { command } = actions.find(({ command }) => command.command === "graphdebug.stopInside");
    await vscode.commands.executeCommand(command.command, ...command.arguments);
    const launch = vscode.workspace.textDocuments.find(({ uri }) => uri.path.endsWith("launch.json"));
    assert.match(launch.getText(), /"staticGraphs": "node"/);
    await vscode.window.showTextDocument(launch);
    await vscode.commands.executeCommand("workbench.action.revertAndCloseActiveEditor");
  },

  async "a Python with nothing installed is enough, and the program sees nothing of ours"() {
    await breakpoint("values.py", "stop");
    const session = await debug({ program: at("values.py").fsPath, python: process.env.BARE_PYTHON });
    const { frame } = await stopped(session);
    assert.equal(frame.line, await line("values.py", "stop"));
    const python = await evaluate(session, frame.id, "__import__('sys').executable");
    assert.equal(python, `'${process.env.BARE_PYTHON}'`);
    const own = await evaluate(session, frame.id, "[p for p in __import__('sys').path if 'build' in p]");
    assert.equal(own, "[]");
    const pygls = await evaluate(session, frame.id, "__import__('importlib.util').util.find_spec('pygls')");
    assert.equal(pygls, "");
    await vscode.debug.stopDebugging(session);
    await ended(session);
  },

  async "an interpreter that is too old, or can't be run, is named, and nothing starts"() {
    const old = path.join(folder.uri.fsPath, "old-python");
    writeFileSync(old, "#!/bin/sh\necho 3 8\n");
    chmodSync(old, 0o755);
    for (const python of [old, path.join(folder.uri.fsPath, "no-such-python")]) {
      const before = sessions.length;
      const asked = { type: "graphdebug", request: "launch", name: "test", program: at("values.py").fsPath, python };
      assert.equal(await vscode.debug.startDebugging(folder, asked), false);
      assert.equal(sessions.length, before);
    }
  },

  async "an interpreter is the configuration's, else the setting's, the Python extension's, the folder's"() {
    const settings = vscode.workspace.getConfiguration("graphdebug");
    await breakpoint("values.py", "stop");
    const executable = async (configuration) => {
      const session = await debug({ program: at("values.py").fsPath, ...configuration });
      const { frame } = await stopped(session);
      const found = await evaluate(session, frame.id, "__import__('sys').executable");
      await vscode.debug.stopDebugging(session);
      await ended(session);
      return found.slice(1, -1);
    };
    const own = path.join(folder.uri.fsPath, ".venv", "bin", "python");
    const { choose } = await vscode.extensions.getExtension("ms-python.python").activate();
    choose(process.env.BARE_PYTHON);
    assert.equal(await executable({}), process.env.BARE_PYTHON);
    choose(path.join(folder.uri.fsPath, "no-such-python"));
    await settings.update("python", process.env.BARE_PYTHON, vscode.ConfigurationTarget.Global);
    try {
      assert.equal(await executable({}), process.env.BARE_PYTHON);
      assert.equal(await executable({ python: "${workspaceFolder}/.venv/bin/python" }), own);
    } finally {
      choose("");
      await settings.update("python", undefined, vscode.ConfigurationTarget.Global);
    }
  },

  async "the program gets the folder's Python, the environment file's variables, and a log where asked for"() {
    writeFileSync(at("some.env").fsPath, 'REPORT_SET="from the file" # comment\nREPORT_REMOVED=file\n');
    const env = { REPORT_REMOVED: null };
    const session = await debug({ program: at("report.py").fsPath, env, envFile: at("some.env").fsPath, args: ["a b"], logToFile: true });
    const { frame, threadId } = await stopped(session); // at its sys.exit(3), which nobody catches
    const python = await evaluate(session, frame.id, "__import__('sys').executable");
    assert.equal(python.slice(1, -1), path.join(folder.uri.fsPath, ".venv", "bin", "python"));
    await session.customRequest("continue", { threadId });
    await ended(session);
    const output = of(session).flatMap(({ events }) => events).filter(({ event }) => event === "output");
    const text = output.map(({ body }) => body.output).join("");
    const started = JSON.parse(/started (\{.*\})/.exec(text)[1]);
    assert.deepEqual(started, { args: ["a b"], name: "__main__", cwd: folder.uri.fsPath, set: "from the file", removed: null });
    const logs = path.join(process.env.PROFILE, "logs");
    const kept = readdirSync(logs, { recursive: true }).filter((name) => name.includes("graphdebug.graphdebug") && name.endsWith(".log"));
    assert(kept.length > 0);
  },

  async "a job is picked from those of this machine, and debugged where it runs"() {
    const started = spawn(
      path.join(folder.uri.fsPath, ".venv", "bin", "python"),
      ["-m", "graphdebug", "run", "--listen", "127.0.0.1:0", at("streams.py").fsPath, "60"],
      { env: { ...process.env, PYTHONPATH: process.env.CHECKOUT }, stdio: ["ignore", "ignore", "pipe"] },
    );
    try {
      let said = "";
      started.stderr.on("data", (data) => (said += data));
      await until("the job", () => said.includes("attachable"));
      // A job is listed once its program has imported a framework.
      const registry = path.join(process.env.XDG_RUNTIME_DIR, "graphdebug");
      await until("the job's file", () => existsSync(registry) && readdirSync(registry).some((name) => name.startsWith(`${started.pid}-`)));
      let picked;
      vscode.commands.executeCommand("graphdebug.pickProgram").then((answer) => (picked = answer));
      await until("the choice", async () => {
        await vscode.commands.executeCommand("workbench.action.acceptSelectedQuickOpenItem");
        return picked;
      });
      assert(said.includes(`graphdebug attach ${picked}`), said);
      await breakpoint("streams.py", "step");
      const session = await debug({ request: "attach", endpoint: picked });
      const { frame } = await stopped(session);
      assert.equal(frame.line, await line("streams.py", "step"));
      await vscode.debug.stopDebugging(session);
      await ended(session);
    } finally {
      started.kill();
    }
  },

  async "the extension host keeps nothing of a thousand steps a second"() {
    const wanted = Number(process.env.STREAM_STEPS ?? 3000);
    const seconds = String(wanted / 100 + 30);
    const session = await debug({ program: at("streams.py").fsPath, args: [seconds], capture: "steps" });
    const total = async () => (await session.customRequest("graphdebugSteps", { begin: 0, end: 0 })).total;
    await until("the view", async () => (await vscode.commands.getCommands(true)).includes("graphdebug.steps.focus"));
    await vscode.commands.executeCommand("graphdebug.steps.focus");
    const first = await until("steps", async () => (await total()) > 500 && total());
    const before = heap();
    await until("as many steps more", async () => (await total()) > first + wanted, 1000 * seconds);
    const kept = (heap() - before) / 2 ** 20;
    console.log(`[check] figure ${wanted} steps left ${kept.toFixed(2)} MiB in the extension host's heap`);
    await vscode.debug.stopDebugging(session);
    await ended(session);
    assert(kept < 3, `${kept} MiB`);
  },

  async "a child process is a session of its own, under its parent's"() {
    await breakpoint("child.py", "child");
    const parent = await debug({ program: at("parent.py").fsPath });
    const child = (await until("the child", () => sessions.find(({ session }) => session.parentSession?.id === parent.id))).session;
    const { frame, threadId } = await stopped(child);
    assert.equal(path.basename(frame.source.path), "child.py");
    assert.equal(child.type, "graphdebug");
    await child.customRequest("continue", { threadId });
    await goOn(child);
    await goOn(parent);
    await ended(parent);
  },
};

exports.run = async () => {
  const failed = [];
  for (const [name, check] of Object.entries(checks)) {
    const began = Date.now();
    try {
      await check();
      console.log(`[check] ok ${name} (${Date.now() - began} ms)`);
    } catch (error) {
      failed.push(name);
      console.log(`[check] not ok ${name}: ${error.stack}`);
    }
    vscode.debug.removeBreakpoints(vscode.debug.breakpoints);
    await vscode.debug.stopDebugging();
  }
  if (failed.length) throw new Error(`failed: ${failed.join("; ")}`);
};
