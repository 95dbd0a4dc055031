/**
 * A host at the other end of a message channel: `expose` beside the real host (the extension),
 * `connect` beside the views (the webview's page).
 */

import type {
  Arguments,
  Command,
  Disposable,
  Host,
  HostEvents,
  Response,
  Selection,
  Session,
  Stop,
} from "./host";

/** One end of a channel. Messages are JSON values, in order; neither end blocks. */
export interface Port {
  post(message: unknown): void;
  receive(listener: (message: unknown) => void): Disposable;
}

const EVENTS: readonly (keyof HostEvents)[] = [
  "session",
  "step",
  "alert",
  "dropped",
  "stopped",
  "continued",
  "selection",
  "tensor",
  "connection",
];

/** What the page may have done by the host, and gets no answer to. */
type Told = "open" | "openTensor" | "openGraph" | "select" | "writeState";

const TOLD: readonly Told[] = ["open", "openTensor", "openGraph", "select", "writeState"];

interface Now {
  session?: Session;
  stop?: Stop;
  selection: Selection;
  state: Record<string, unknown>;
}

type FromHost =
  | { type: "welcome"; now: Now }
  | { type: "event"; event: keyof HostEvents; body?: unknown }
  | { type: "answer"; id: number; body: unknown }
  | { type: "refused"; id: number; message: string };

type FromPage =
  | { type: "hello"; states: readonly string[] }
  | { type: "request"; id: number; command: Command; args: unknown }
  | { type: "tell"; what: Told; args: unknown[] };

/** Answer a page's `connect` with what `host` says. Ends with what it returns, or with the port. */
export function expose(host: Host, port: Port): Disposable {
  const parts = EVENTS.map((event) =>
    host.on(event, (body) => {
      port.post({ type: "event", event, body } satisfies FromHost);
    }),
  );
  parts.push(
    port.receive((message) => {
      receive(host, port, message as FromPage);
    }),
  );
  return {
    dispose: () => {
      for (const part of parts) part.dispose();
    },
  };
}

function receive(host: Host, port: Port, message: FromPage): void {
  if (message.type === "hello") {
    const state = Object.fromEntries(message.states.map((key) => [key, host.readState(key)]));
    const { session, stop, selection } = host;
    port.post({ type: "welcome", now: { session, stop, selection, state } } satisfies FromHost);
  } else if (message.type === "request") {
    const { id, command, args } = message;
    host.request(command, args as Arguments<Command>).then(
      (body) => {
        port.post({ type: "answer", id, body } satisfies FromHost);
      },
      (error: unknown) => {
        port.post({ type: "refused", id, message: sentence(error) } satisfies FromHost);
      },
    );
  } else if (TOLD.includes(message.what)) {
    (host[message.what] as (...args: unknown[]) => void)(...message.args);
  }
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The host that was exposed at the other end. Resolves once it has answered; `states` names the keys
 * that `readState` is asked for.
 */
export async function connect(port: Port, states: readonly string[] = VIEW_STATES): Promise<Host> {
  return new Promise((resolve) => {
    const listening = port.receive((message) => {
      const first = message as FromHost;
      if (first.type !== "welcome") return;
      listening.dispose();
      resolve(new Remote(port, first.now));
    });
    port.post({ type: "hello", states } satisfies FromPage);
  });
}

/** The keys that the views of this package keep something under. */
export const VIEW_STATES: readonly string[] = ["steps", "nodes", "graph", "alerts", "tensor"];

class Remote implements Host {
  readonly #port: Port;
  readonly #waiting = new Map<number, (message: FromHost) => void>();
  readonly #listeners = new Map<keyof HostEvents, Set<(body: never) => void>>();
  #now: Now;
  #id = 0;

  constructor(port: Port, now: Now) {
    this.#port = port;
    this.#now = now;
    port.receive((message) => {
      this.#receive(message as FromHost);
    });
  }

  get session(): Session | undefined {
    return this.#now.session;
  }

  get stop(): Stop | undefined {
    return this.#now.stop;
  }

  get selection(): Selection {
    return this.#now.selection;
  }

  request<C extends Command>(command: C, args: Arguments<C>): Promise<Response<C>> {
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, (message) => {
        if (message.type === "answer") resolve(message.body as Response<C>);
        else if (message.type === "refused") reject(new Error(message.message));
      });
      this.#post({ type: "request", id, command, args });
    });
  }

  on<E extends keyof HostEvents>(event: E, listener: (body: HostEvents[E]) => void): Disposable {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    listeners.add(listener);
    return { dispose: () => listeners.delete(listener) };
  }

  open(...args: Parameters<Host["open"]>): void {
    this.#post({ type: "tell", what: "open", args });
  }

  openTensor(...args: Parameters<Host["openTensor"]>): void {
    this.#post({ type: "tell", what: "openTensor", args });
  }

  openGraph(...args: Parameters<Host["openGraph"]>): void {
    this.#post({ type: "tell", what: "openGraph", args });
  }

  select(...args: Parameters<Host["select"]>): void {
    this.#post({ type: "tell", what: "select", args });
  }

  readState(key: string): unknown {
    return this.#now.state[key];
  }

  writeState(key: string, value: unknown): void {
    this.#now.state[key] = value;
    this.#post({ type: "tell", what: "writeState", args: [key, value] });
  }

  #post(message: FromPage): void {
    this.#port.post(message);
  }

  #receive(message: FromHost): void {
    if (message.type === "event") {
      this.#follow(message.event, message.body);
      for (const listener of [...(this.#listeners.get(message.event) ?? [])]) {
        (listener as (body: unknown) => void)(message.body);
      }
    } else if (message.type !== "welcome") {
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    }
  }

  #follow(event: keyof HostEvents, body: unknown): void {
    const now = this.#now;
    if (event === "session") this.#now = { state: now.state, selection: {}, session: body as Session };
    else if (event === "stopped") now.stop = body as Stop;
    else if (event === "continued") delete now.stop;
    else if (event === "selection") now.selection = body as Selection;
  }
}
