/**
 * What credentials with limits of their own have left. The gate's rows are the record (API keys:
 * docs/security.md); what the control plane has is what somebody set.
 *
 * C1  Rates and credits of one request are taken together or not at all, in one transaction with no
 *     await inside. A refusal writes nothing.
 * C2  A budget of a later revision replaces what is left; the same or an earlier one, from an
 *     isolate that knows no better, changes nothing.
 * C3  A charge that names itself is made once: whoever repeats the request is let through and pays
 *     nothing. It is given back when the last of its requests came to nothing.
 */
import type { CreditBudget, Credits, Meter } from "../../core/limits/contract.ts";
import type { Demand, Returned, Spending, Spent, SpendRefusal } from "./contract.ts";
import type { Limits } from "./limits.ts";

/** Longer than an invocation's idempotency key is promised to be kept. */
const CHARGE_MS = 8 * 86_400_000;
const SWEEP_MS = 600_000;

type CreditRow = { readonly revision: number; readonly left: number; readonly filled_ms: number };

export class CreditBook {
  readonly #storage: DurableObjectStorage;
  readonly #limits: Limits;
  #sweptMs = 0;

  constructor(storage: DurableObjectStorage, limits: Limits) {
    this.#storage = storage;
    this.#limits = limits;
  }

  spend(spending: Spending, nowMs: number): Spent | SpendRefusal {
    this.#sweep(nowMs);
    return this.#storage.transactionSync(() => this.#take(spending, nowMs)); // C1
  }

  /** Units that came to nothing go back, unless they were set anew meanwhile. */
  giveBack({ subject, credits, revision, charge }: Returned): void {
    this.#storage.transactionSync(() => {
      if (charge !== undefined && !this.#lastUse(subject, charge)) return;
      this.#run(
        "UPDATE credit SET left = left + ? WHERE subject = ? AND revision = ?",
        credits,
        subject,
        revision,
      );
    });
  }

  /** What is left of a budget now. */
  left(subject: string, budget: CreditBudget, nowMs: number): Credits {
    return this.#storage.transactionSync(() =>
      shown(budget, this.#current(subject, budget, nowMs)),
    );
  }

  #take({ meter, credits, charge }: Spending, nowMs: number): Spent | SpendRefusal {
    const demands = demandsOf(meter);
    const { subject } = meter;
    const row = meter.credits && this.#current(subject, meter.credits, nowMs);
    const left = row && meter.credits ? shown(meter.credits, row) : null;
    if (charge !== undefined && this.#repeats(subject, charge)) {
      return { ok: true, rates: this.#limits.left(demands, nowMs), credits: left };
    }
    if (left !== null && left.remaining < credits) return short(left, meter, credits, nowMs);
    const taken = this.#limits.take(demands, nowMs);
    if (!taken.ok) {
      const { retryAfterMs } = taken;
      const rates = this.#limits.left(demands, nowMs);
      return { ok: false, reason: "rate", retryAfterMs, rates, credits: left };
    }
    if (charge !== undefined) {
      this.#run("INSERT INTO charge VALUES (?, ?, 1, ?)", subject, charge, nowMs);
    }
    if (left === null) return { ok: true, rates: taken.remaining, credits: null };
    this.#run("UPDATE credit SET left = left - ? WHERE subject = ?", credits, subject);
    const after = { ...left, remaining: left.remaining - credits };
    return { ok: true, rates: taken.remaining, credits: after };
  }

  /** The row of a subject as of now: set anew by a later budget (C2), filled up where that is due. */
  #current(subject: string, budget: CreditBudget, nowMs: number): CreditRow {
    const [known] = this.#storage.sql
      .exec<CreditRow>("SELECT revision, left, filled_ms FROM credit WHERE subject = ?", subject)
      .toArray();
    if (known !== undefined && known.revision > budget.revision) return known;
    const row =
      known?.revision === budget.revision
        ? known
        : { revision: budget.revision, left: budget.units, filled_ms: budget.setAtMs };
    const next = filled(row, budget, nowMs);
    if (next !== known) {
      const { revision, left, filled_ms } = next;
      this.#run(
        "INSERT OR REPLACE INTO credit VALUES (?, ?, ?, ?)",
        subject,
        revision,
        left,
        filled_ms,
      );
    }
    return next;
  }

  #repeats(subject: string, charge: string): boolean {
    const { rowsWritten } = this.#storage.sql.exec(
      "UPDATE charge SET uses = uses + 1 WHERE subject = ? AND id = ?",
      subject,
      charge,
    );
    return rowsWritten > 0;
  }

  /** One use less of a charge; true when none is left and it is gone (C3). */
  #lastUse(subject: string, charge: string): boolean {
    const [row] = this.#storage.sql
      .exec<{ uses: number }>(
        "UPDATE charge SET uses = uses - 1 WHERE subject = ? AND id = ? RETURNING uses",
        subject,
        charge,
      )
      .toArray();
    if (row === undefined || row.uses > 0) return false;
    this.#run("DELETE FROM charge WHERE subject = ? AND id = ?", subject, charge);
    return true;
  }

  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptMs < SWEEP_MS) return;
    this.#sweptMs = nowMs;
    this.#run("DELETE FROM charge WHERE at_ms <= ?", nowMs - CHARGE_MS);
  }

  #run(statement: string, ...bindings: readonly SqlStorageValue[]): void {
    this.#storage.sql.exec(statement, ...bindings);
  }
}

function demandsOf({ subject, rates }: Meter): readonly Demand[] {
  return rates.map(({ limit, periodMs }) => ({
    subject: `key/${subject}/${periodMs}`,
    limit,
    periodMs,
  }));
}

/** Filled up for the intervals that are over; what was bought beyond the fill stays. */
function filled(row: CreditRow, { refill }: CreditBudget, nowMs: number): CreditRow {
  if (refill === null) return row;
  const intervals = Math.floor((nowMs - row.filled_ms) / refill.intervalMs);
  if (intervals < 1) return row;
  return {
    ...row,
    left: Math.max(row.left, refill.amount),
    filled_ms: row.filled_ms + intervals * refill.intervalMs,
  };
}

function shown({ refill }: CreditBudget, { left, filled_ms }: CreditRow): Credits {
  return { remaining: left, refillsAtMs: refill && filled_ms + refill.intervalMs };
}

function short(left: Credits, { credits }: Meter, cost: number, nowMs: number): SpendRefusal {
  const helps = (credits?.refill?.amount ?? 0) >= cost && left.refillsAtMs !== null;
  const retryAfterMs = helps ? Math.max(1, (left.refillsAtMs ?? nowMs) - nowMs) : null;
  return { ok: false, reason: "credits", retryAfterMs, rates: [], credits: left };
}
