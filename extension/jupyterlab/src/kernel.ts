/** The server's extension, asked about one kernel: events on a websocket, everything else over REST. */

import { URLExt } from "@jupyterlab/coreutils";
import { ServerConnection } from "@jupyterlab/services";

import type {
  CellBreakpointsArguments,
  CellBreakpointsEvent,
  Configuration,
  GraphdebugEvents,
  KernelEvents,
} from "../../shared/src/protocol";

/** What comes on the websocket; `lost` where it is closed from the other side. */
export type Heard = GraphdebugEvents & KernelEvents & { lost: string };

export type Listener = <E extends keyof Heard>(event: E, body: Heard[E]) => void;

const AGAIN_MS = 2000;

export class KernelLink {
  readonly #settings: ServerConnection.ISettings;
  readonly #listener: Listener;
  #socket: WebSocket | undefined;
  #timer: number | undefined;
  #closed = false;

  constructor(
    readonly id: string,
    settings: ServerConnection.ISettings,
    listener: Listener,
  ) {
    this.#settings = settings;
    this.#listener = listener;
    this.#open();
  }

  /** The answer to a request of the Contract. Rejects with the server's sentence for the user. */
  async get(noun: string, query: object = {}): Promise<unknown> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const text = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
    return this.#request(text ? `${noun}?${text}` : noun, { method: "GET" });
  }

  /** The result that an expression evaluated in the kernel publishes under `key`. */
  async published(key: string): Promise<unknown> {
    return this.#request(`published/${key}`, { method: "GET" });
  }

  /** Record this from now on. */
  async configure(configuration: Configuration): Promise<void> {
    await this.#request("configuration", { method: "PUT", body: JSON.stringify(configuration) });
  }

  /** What breakpoints in the notebook do. */
  async setBreakpoints(body: CellBreakpointsArguments): Promise<CellBreakpointsEvent> {
    const answer = await this.#request("breakpoints", { method: "PUT", body: JSON.stringify(body) });
    return answer as CellBreakpointsEvent;
  }

  dispose(): void {
    this.#closed = true;
    window.clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #open(): void {
    const { wsUrl, token, appendToken, WebSocket } = this.#settings;
    const query = appendToken && token ? `?token=${encodeURIComponent(token)}` : "";
    const socket = new WebSocket(URLExt.join(wsUrl, "graphdebug/kernels", this.id, "events") + query);
    this.#socket = socket;
    socket.onmessage = (message: MessageEvent<string>) => {
      const { event, body } = JSON.parse(message.data) as { event: keyof Heard; body: never };
      if (!this.#closed) this.#listener(event, body);
    };
    socket.onclose = () => {
      if (this.#closed) return;
      this.#listener("lost", "The Jupyter server doesn't answer, or has no graphdebug.");
      this.#timer = window.setTimeout(() => {
        this.#open();
      }, AGAIN_MS);
    };
  }

  async #request(path: string, init: RequestInit): Promise<unknown> {
    const url = URLExt.join(this.#settings.baseUrl, "graphdebug/kernels", this.id, path);
    const answer = await ServerConnection.makeRequest(url, init, this.#settings);
    if (!answer.ok) throw new Error(await sentence(answer));
    return answer.json();
  }
}

async function sentence(answer: Response): Promise<string> {
  try {
    const { message } = (await answer.json()) as { message?: string };
    if (message) return message;
  } catch {
    // not the server's own
  }
  return `The server answered ${String(answer.status)} ${answer.statusText}.`;
}
