/** What a key was found to be, or the promise of it; a caller awaits only when it must. */
export type Found<V> = V | undefined | Promise<V | undefined>;

type Entry<V> = { readonly value: V; readonly atMs: number };
type Flight<V> = { readonly read: Promise<V | undefined>; readonly atMs: number };

/**
 * How long a reader may join another's read. A read belongs to the request that began it and can
 * die with it, so nobody waits on an old one: they start their own.
 */
const JOIN_MS = 1000;

/**
 * Reads kept for a moment, at most one at a time per key.
 *
 * An entry lives `ttlMs` from the *start* of its read (DECISIONS 24): what was revoked while the
 * read was under way is forgotten in time. Absence is not kept, so what was just made is found.
 * The oldest entry makes room. Pure: the caller owns the clock.
 */
export class ReadCache<V extends object> {
  readonly #entries = new Map<string, Entry<V>>();
  readonly #flights = new Map<string, Flight<V>>();
  readonly #ttlMs: number;
  readonly #capacity: number;

  constructor(ttlMs: number, capacity: number) {
    this.#ttlMs = ttlMs;
    this.#capacity = capacity;
  }

  /**
   * @param read  Asked when nothing fresh is kept; a failed read is kept for nobody.
   * @param keep  Handed the read that was begun, so that the shell can keep it alive after the
   *              request that began it is gone.
   */
  get(
    key: string,
    nowMs: number,
    read: () => Promise<V | undefined>,
    keep: (read: Promise<unknown>) => void = () => {},
  ): Found<V> {
    const entry = this.#entries.get(key);
    if (entry !== undefined && fresh(entry.atMs, nowMs, this.#ttlMs)) return entry.value;
    const flight = this.#flights.get(key);
    if (flight !== undefined && fresh(flight.atMs, nowMs, Math.min(JOIN_MS, this.#ttlMs))) {
      return joined(flight.read);
    }
    return this.#begin(key, nowMs, read, keep);
  }

  /** What is kept of a key and fresh; nothing is read for it. */
  fresh(key: string, nowMs: number): V | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && fresh(entry.atMs, nowMs, this.#ttlMs) ? entry.value : undefined;
  }

  /** Drop what is known of a key, a read under way included. */
  forget(key: string): void {
    this.#entries.delete(key);
    this.#flights.delete(key);
  }

  /** The same for every key that begins with `prefix`; goes over all of them. */
  forgetAll(prefix: string): void {
    for (const kept of [this.#entries, this.#flights]) {
      for (const key of kept.keys()) if (key.startsWith(prefix)) kept.delete(key);
    }
  }

  get size(): number {
    return this.#entries.size;
  }

  #begin(
    key: string,
    nowMs: number,
    read: () => Promise<V | undefined>,
    keep: (read: Promise<unknown>) => void,
  ): Promise<V | undefined> {
    const flight: Flight<V> = { atMs: nowMs, read: this.#land(key, nowMs, read()) };
    this.#flights.set(key, flight);
    keep(flight.read.catch(() => undefined));
    return flight.read;
  }

  async #land(key: string, atMs: number, read: Promise<V | undefined>): Promise<V | undefined> {
    try {
      const value = await read;
      // A read that was forgotten or overtaken meanwhile answers its own caller and nobody else.
      if (this.#flights.get(key)?.atMs === atMs) this.#settle(key, atMs, value);
      return value;
    } finally {
      if (this.#flights.get(key)?.atMs === atMs) this.#flights.delete(key);
    }
  }

  #settle(key: string, atMs: number, value: V | undefined): void {
    this.#entries.delete(key);
    if (value === undefined || this.#ttlMs === 0) return;
    if (this.#entries.size >= this.#capacity) {
      const oldest = this.#entries.keys().next();
      if (!oldest.done) this.#entries.delete(oldest.value);
    }
    this.#entries.set(key, { value, atMs });
  }
}

/**
 * Another request's read as a promise of this request's own. What waits on a promise goes on in the
 * context the promise was made in: there this request could not even read its own body (seen once
 * in 2,000 requests under load).
 */
function joined<V>(read: Promise<V>): Promise<V> {
  return new Promise((resolve, reject) => {
    read.then(resolve, reject);
  });
}

/** Age within bounds; a clock that stepped back makes nothing fresh for longer. */
function fresh(atMs: number, nowMs: number, ttlMs: number): boolean {
  const ageMs = nowMs - atMs;
  return ageMs >= 0 && ageMs < ttlMs;
}
