/**
 * Who is waiting for what inside this object, in memory only: everything here can be lost, because
 * a reader that comes back reads the log.
 */
export class Feed {
  readonly #changes = new Map<string, Set<() => void>>();
  readonly #ends = new Map<string, Set<() => void>>();

  /** New events of this invocation are stored. */
  changed(invocationId: string): void {
    wake(this.#changes, invocationId);
  }

  /** The invocation is terminal. */
  ended(invocationId: string): void {
    wake(this.#changes, invocationId);
    wake(this.#ends, invocationId);
  }

  /**
   * True at the next change, false after `waitMs`. Ask in the same turn of the event loop in which
   * the log was read and found empty: then no change can be missed.
   */
  change(invocationId: string, waitMs: number): Promise<boolean> {
    return until(this.#changes, invocationId, waitMs);
  }

  /** True at the terminal state, false after `waitMs`. */
  end(invocationId: string, waitMs: number): Promise<boolean> {
    return until(this.#ends, invocationId, waitMs);
  }
}

function wake(waiting: Map<string, Set<() => void>>, key: string): void {
  const wakers = waiting.get(key);
  if (!wakers) return;
  waiting.delete(key);
  for (const waken of wakers) waken();
}

function until(
  waiting: Map<string, Set<() => void>>,
  key: string,
  waitMs: number,
): Promise<boolean> {
  return new Promise((resolve) => {
    const wakers = waiting.get(key) ?? new Set();
    waiting.set(key, wakers);
    const waken = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    const timer = setTimeout(() => {
      wakers.delete(waken);
      if (wakers.size === 0 && waiting.get(key) === wakers) waiting.delete(key);
      resolve(false);
    }, waitMs);
    wakers.add(waken);
  });
}
