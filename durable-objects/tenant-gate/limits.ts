/**
 * Rate limits of one tenant: a row for each subject, exact under parallel load.
 *
 * L1  A call's demands are admitted all or none, in one transaction with no await inside.
 * L2  A refusal writes nothing: it costs nothing and moves no recovery away.
 * L3  A row whose time has passed says what no row says; such rows are dropped by and by.
 */
import { gcra, gcraRemaining } from "../../core/limits/gcra.ts";
import type { Admitted, Demand, RateRefusal } from "./contract.ts";

/** Rows that mean nothing any more are looked for at most this often. */
const SWEEP_MS = 60_000;

export class Limits {
  readonly #storage: DurableObjectStorage;
  #sweptMs = 0;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  admit(demands: readonly Demand[], nowMs: number): Admitted | RateRefusal {
    this.#sweep(nowMs);
    return this.#storage.transactionSync(() => this.take(demands, nowMs)); // L1
  }

  /** Inside the caller's transaction: judge all demands, then take them all. */
  take(demands: readonly Demand[], nowMs: number): Admitted | RateRefusal {
    const taken = new Map<string, number>();
    const remaining: number[] = [];
    let refusal: RateRefusal | undefined;
    for (const { subject, limit, periodMs, cost = 1 } of demands) {
      const tatUs = taken.get(subject) ?? this.#tatOf(subject);
      const verdict = gcra(tatUs, limit, nowMs, { periodMs, cost });
      remaining.push(gcraRemaining(verdict.tatUs, limit, nowMs, periodMs));
      taken.set(subject, verdict.tatUs);
      const retryAfterMs = verdict.retryAfterMs ?? periodMs;
      if (retryAfterMs > (refusal?.retryAfterMs ?? 0)) {
        refusal = { ok: false, subject, retryAfterMs };
      }
    }
    if (refusal !== undefined) return refusal; // L2
    for (const [subject, tatUs] of taken) {
      this.#storage.sql.exec("INSERT OR REPLACE INTO rate VALUES (?, ?)", subject, tatUs);
    }
    return { ok: true, remaining };
  }

  /** What would be admitted at once, for each demand; takes nothing. */
  left(demands: readonly Demand[], nowMs: number): readonly number[] {
    return demands.map(({ subject, limit, periodMs }) =>
      gcraRemaining(this.#tatOf(subject), limit, nowMs, periodMs),
    );
  }

  #tatOf(subject: string): number {
    const [row] = this.#storage.sql
      .exec<{ tat_us: number }>("SELECT tat_us FROM rate WHERE subject = ?", subject)
      .toArray();
    return row?.tat_us ?? 0;
  }

  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptMs < SWEEP_MS) return;
    this.#sweptMs = nowMs;
    this.#storage.sql.exec("DELETE FROM rate WHERE tat_us <= ?", nowMs * 1000); // L3
  }
}
