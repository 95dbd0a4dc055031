import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, expose, type Port } from "../src/bridge";
import type { Disposable, Host, HostEvents, Selection, Session, Stop } from "../src/host";

type Listener = (body: never) => void;

/** Two ends of a channel that carries copies, as `postMessage` does. */
function channel(): [Port, Port] {
  const listeners = [new Set<(message: unknown) => void>(), new Set<(message: unknown) => void>()];
  const end = (own: number): Port => ({
    post: (message) => {
      const copy: unknown = structuredClone(message);
      setTimeout(() => listeners[1 - own]?.forEach((listener) => listener(copy)));
    },
    receive: (listener) => {
      listeners[own]?.add(listener);
      return { dispose: () => listeners[own]?.delete(listener) };
    },
  });
  return [end(0), end(1)];
}

class Editor implements Host {
  session: Session | undefined = { id: "1", name: "train.py" };
  stop: Stop | undefined;
  selection: Selection = { step: 3 };
  told: unknown[] = [];
  readonly listeners = new Map<keyof HostEvents, Set<Listener>>();

  request: Host["request"] = (command, args) =>
    command === "graphdebugNode"
      ? Promise.reject(new Error("there is no node 9"))
      : Promise.resolve({ asked: args } as never);

  on<E extends keyof HostEvents>(event: E, listener: (body: HostEvents[E]) => void): Disposable {
    const listeners = this.listeners.get(event) ?? new Set<Listener>();
    this.listeners.set(event, listeners.add(listener));
    return { dispose: () => listeners.delete(listener) };
  }
  tell<E extends keyof HostEvents>(event: E, body: HostEvents[E]): void {
    this.listeners.get(event)?.forEach((listener) => (listener as (body: HostEvents[E]) => void)(body));
  }
  open: Host["open"] = (...args) => void this.told.push(["open", ...args]);
  openTensor: Host["openTensor"] = (...args) => void this.told.push(["openTensor", ...args]);
  openGraph: Host["openGraph"] = (...args) => void this.told.push(["openGraph", ...args]);
  select: Host["select"] = (...args) => void this.told.push(["select", ...args]);
  readState: Host["readState"] = (key) => (key === "nodes" ? { phase: "backward" } : undefined);
  writeState: Host["writeState"] = (...args) => void this.told.push(["writeState", ...args]);
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

test("the host at the other end is as the real one", async () => {
  const editor = new Editor();
  const [here, there] = channel();
  const serving = expose(editor, here);
  const host = await connect(there);
  assert.deepEqual(host.session, { id: "1", name: "train.py" });
  assert.deepEqual(host.selection, { step: 3 });
  assert.deepEqual(host.readState("nodes"), { phase: "backward" });

  assert.deepEqual(await host.request("graphdebugSteps", { begin: 5 }), { asked: { begin: 5 } });
  await assert.rejects(host.request("graphdebugNode", { step: 0, node: 9 }), /there is no node 9/);

  const line = { path: "/a.py", line: 3 };
  host.open(line, { keepFocus: true });
  host.writeState("graph", 1);
  await settled();
  assert.deepEqual(editor.told, [["open", line, { keepFocus: true }], ["writeState", "graph", 1]]);
  assert.equal(host.readState("graph"), 1);

  const heard: unknown[] = [];
  const listening = host.on("stopped", (stop) => heard.push(stop.threadId, host.stop?.threadId));
  editor.tell("stopped", { threadId: 7, reason: "breakpoint" });
  await settled();
  listening.dispose();
  editor.tell("stopped", { threadId: 8, reason: "breakpoint" });
  editor.tell("continued", undefined);
  await settled();
  assert.deepEqual(heard, [7, 7]);
  assert.equal(host.stop, undefined);
  editor.tell("session", undefined);
  await settled();
  assert.deepEqual([host.session, host.selection], [undefined, {}]);

  serving.dispose();
  assert.ok([...editor.listeners.values()].every(({ size }) => size === 0));
});
