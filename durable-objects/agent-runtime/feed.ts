import type { Deadlines } from "./deadlines.ts";
import type { InvocationRow } from "./invocations.ts";

/**
 * Who is waiting for what inside this object, in memory only: everything here can be lost, because
 * a reader that comes back reads the log.
 */
export class Feed {
  readonly #deadlines: Deadlines;
  readonly #changes = new Map<string, Set<(changed: true) => void>>();
  readonly #ends = new Map<string, Set<(row: InvocationRow) => void>>();

  #listener: (invocationId: string) => void = () => {};

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  /** One that is told of every change, for as long as the object lives. */
  listen(listener: (invocationId: string) => void): void {
    this.#listener = listener;
  }

  /** New events of this invocation are stored. */
  changed(invocationId: string): void {
    wake(this.#changes, invocationId, true);
    this.#listener(invocationId);
  }

  /** The invocation is terminal, or waits for something outside. */
  ended(invocationId: string, row: InvocationRow): void {
    wake(this.#changes, invocationId, true);
    wake(this.#ends, invocationId, row);
    this.#listener(invocationId);
  }

  /**
   * True at the next change, undefined after `waitMs`. Ask in the same turn of the event loop in
   * which the log was read and found empty: then no change can be missed.
   */
  change(invocationId: string, waitMs: number): Promise<true | undefined> {
    return this.#until(this.#changes, invocationId, waitMs);
  }

  /** The row when it is terminal or waits, or undefined after `waitMs`. */
  end(invocationId: string, waitMs: number): Promise<InvocationRow | undefined> {
    return this.#until(this.#ends, invocationId, waitMs);
  }

  #until<T>(
    waiting: Map<string, Set<(value: T) => void>>,
    key: string,
    waitMs: number,
  ): Promise<T | undefined> {
    return new Promise((resolve) => {
      const wakers = waiting.get(key) ?? new Set();
      waiting.set(key, wakers);
      const waken = (value: T): void => {
        cancel();
        resolve(value);
      };
      const cancel = this.#deadlines.after(waitMs, () => {
        wakers.delete(waken);
        if (wakers.size === 0 && waiting.get(key) === wakers) waiting.delete(key);
        resolve(undefined);
      });
      wakers.add(waken);
    });
  }
}

function wake<T>(waiting: Map<string, Set<(value: T) => void>>, key: string, value: T): void {
  const wakers = waiting.get(key);
  if (!wakers) return;
  waiting.delete(key);
  for (const waken of wakers) waken(value);
}
