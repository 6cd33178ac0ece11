/**
 * What the bench counts, in local runs with BENCH_COUNTERS=1: one isolate serves all objects
 * there, so one tally serves all of them.
 */
import { AsyncLocalStorage } from "node:async_hooks";

export const tally = { rows_written: 0, alarm_writes: 0, object_calls: 0, d1_queries: 0 };

/** Calls and queries count while a request is served; the ledger's upkeep beside it does not. */
const serving = new AsyncLocalStorage<true>();

export function whileServing<T>(body: () => T): T {
  return serving.run(true, body);
}

export function countObjectCall(): void {
  if (serving.getStore()) tally.object_calls += 1;
}

/** The database, with every statement counted that a request prepares. */
export function countingD1(database: D1Database): D1Database {
  return new Proxy(database, {
    get(target, name) {
      if (name === "prepare" && serving.getStore()) tally.d1_queries += 1;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
