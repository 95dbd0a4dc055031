/** A long list of which only what is looked at is fetched, and little of it is kept. */

/** Items from `begin` on, and how many there are in all. */
export interface Page<T> {
  items: readonly T[];
  total: number;
}

export type Fetch<T> = (begin: number, count: number) => Promise<Page<T>>;

export const PAGE = 128;
/** Pages kept: those looked at last. */
export const PAGES_LIMIT = 64;

export class Pages<T> {
  /** How many items there are, as far as is known. */
  total = 0;
  /** Why the last request was refused. */
  error: string | undefined;
  readonly #fetch: Fetch<T>;
  readonly #changed: () => void;
  /** By number, the one looked at last at the end. */
  readonly #pages = new Map<number, readonly T[]>();
  #wanted = new Set<number>();
  #fetching = false;
  #generation = 0;

  constructor(fetch: Fetch<T>, changed: () => void) {
    this.#fetch = fetch;
    this.#changed = changed;
  }

  /** Whether something that was looked at isn't here yet. */
  get waiting(): boolean {
    return this.#fetching;
  }

  /** There are more items now; those that are known stay as they are. */
  grow(total: number): void {
    if (total > this.total) {
      this.total = total;
      this.#changed();
    }
  }

  /** Forget everything: the list is another one. */
  clear(): void {
    this.#generation++;
    this.#pages.clear();
    this.#wanted.clear();
    this.total = 0;
    this.error = undefined;
    this.#changed();
  }

  /** The item at a place if it is here; else it is fetched, unless nobody asks for it any more then. */
  at(index: number): T | undefined {
    const number = Math.floor(index / PAGE);
    const page = this.#pages.get(number);
    const item = page?.[index - number * PAGE];
    if (item === undefined && index < this.total) this.#want(number);
    else if (page !== undefined) this.#touch(number, page);
    return item;
  }

  /** Items that are here, from `begin` up to `end`; asks for nothing. */
  known(begin: number, end: number): T[] {
    const found: T[] = [];
    for (let index = begin; index < end; index++) {
      const item = this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE];
      if (item !== undefined) found.push(item);
    }
    return found;
  }

  /** Ask for the first page, to learn how many there are. */
  begin(): void {
    this.#want(0);
  }

  #touch(number: number, page: readonly T[]): void {
    this.#pages.delete(number);
    this.#pages.set(number, page);
  }

  #want(number: number): void {
    this.#wanted.delete(number);
    this.#wanted.add(number);
    if (!this.#fetching) void this.#work();
  }

  /** One request at a time, for what was asked for last: what was scrolled past isn't fetched. */
  async #work(): Promise<void> {
    this.#fetching = true;
    // What is drawn in this frame is asked for as a whole.
    await Promise.resolve();
    while (this.#wanted.size > 0) {
      const generation = this.#generation;
      const numbers = [...this.#wanted].slice(-2).sort((a, b) => a - b);
      this.#wanted.clear();
      for (const number of numbers) {
        await this.#load(number, generation);
        if (generation !== this.#generation) break;
      }
      this.#changed();
    }
    this.#fetching = false;
    this.#changed();
  }

  async #load(number: number, generation: number): Promise<void> {
    const known = this.#pages.get(number) ?? [];
    const begin = number * PAGE + known.length;
    try {
      const page = await this.#fetch(begin, PAGE - known.length);
      if (generation !== this.#generation) return;
      this.error = undefined;
      this.total = page.total;
      this.#touch(number, [...known, ...page.items]);
      for (const oldest of this.#pages.keys()) {
        if (this.#pages.size <= PAGES_LIMIT) break;
        this.#pages.delete(oldest);
      }
    } catch (error) {
      if (generation !== this.#generation) return;
      this.error = error instanceof Error ? error.message : String(error);
      this.#wanted.clear();
    }
  }
}
