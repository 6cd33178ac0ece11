/**
 * Upstreams that fail, and the runs that wait until they are back (F98).
 *
 * B1  A call is made only after `admit`. While an upstream is open one probe at a time is let
 *     through; whoever is not let through parks, which burns no attempt.
 * B2  Parked runs are taken up in the order they were accepted: one of them per probe while the
 *     upstream is open, all of them in the transaction that closes it. The next probe is made for
 *     one that has made fewest, so that a run that fails by itself keeps no other waiting.
 * B3  An open upstream and what is parked are rows: they outlive the object. Failures that have not
 *     opened one yet are counted in memory.
 */
import { afterFailure, CLOSED, type Breaker } from "../../core/runs/breaker.ts";
import { BreakerPolicy, type OpenBreaker } from "../../core/runs/contract.ts";
import { rfc3339, type Clock } from "../../core/clock.ts";
import { Suspended } from "./failure.ts";
import type { Sql } from "./sql.ts";

/** A probe that says nothing for this long is taken for lost, and another is let through. */
const PROBE_LEASE_MS = 60_000;

const DEFAULT_POLICY = BreakerPolicy.parse({});

export type Admittance =
  | {
      readonly ok: true;
      /** The upstream is open, and this call tells whether it is back. */
      readonly probe: boolean;
    }
  | { readonly ok: false; readonly probeAtMs: number };

type BreakerRow = {
  readonly name: string;
  readonly failures: number;
  readonly trips: number;
  readonly probe_ms: number;
};

/** All breakers of one object; an upstream's name is `model/SLUG`, `tool/ORIGIN`, … */
export class Breakers {
  readonly #sql: Sql;
  readonly #now: Clock;
  readonly #woken: () => void;
  /** Those that something is known against; read from the rows when first asked. */
  #known: Map<string, Breaker> | undefined;
  /** Until when the probe under way may take. */
  readonly #probes = new Map<string, number>();

  /** @param woken  Runs are due that were parked. */
  constructor(sql: Sql, now: Clock, woken: () => void) {
    this.#sql = sql;
    this.#now = now;
    this.#woken = woken;
  }

  /** May a call to this upstream be made now? What is let through reports how it came out. */
  admit(name: string, nowMs: number): Admittance {
    const probeMs = this.#all().get(name)?.probeMs ?? null;
    if (probeMs === null) return { ok: true, probe: false };
    const probeAtMs = Math.max(probeMs, this.#probes.get(name) ?? 0);
    if (nowMs < probeAtMs) return { ok: false, probeAtMs };
    this.#probes.set(name, nowMs + PROBE_LEASE_MS);
    return { ok: true, probe: true };
  }

  /** Is it closed, so that `admit` would only say so? */
  closed(name: string): boolean {
    return (this.#all().get(name)?.probeMs ?? null) === null;
  }

  /** It answered. Whatever is parked for it is due at once. */
  succeeded(name: string): void {
    const known = this.#all().get(name);
    if (known === undefined) return;
    this.#probes.delete(name);
    this.#all().delete(name);
    if (known.probeMs === null) return;
    this.#sql.transaction(() => {
      this.#sql.run("DELETE FROM breaker WHERE name = ?", name);
      this.#sql.run(
        `UPDATE invocation SET due_ms = ? WHERE status = 'waiting'
           AND id IN (SELECT invocation_id FROM parked WHERE name = ?)`,
        this.#now(),
        name,
      );
      this.#sql.run("DELETE FROM parked WHERE name = ?", name);
    });
    queueMicrotask(this.#woken);
  }

  /** It did not answer, or that it cannot. */
  failed(name: string, nowMs: number, policy = DEFAULT_POLICY, retryAfterMs?: number): void {
    const before = this.#all().get(name) ?? CLOSED;
    const probed = this.#probes.delete(name);
    const after = afterFailure(before, policy, nowMs, probed, retryAfterMs);
    this.#all().set(name, after);
    if (after.probeMs === null || after === before) return;
    this.#sql.run(
      "INSERT OR REPLACE INTO breaker VALUES (?, ?, ?, ?)",
      name,
      after.failures,
      after.trips,
      after.probeMs,
    );
  }

  /** The probe came to nothing that tells of the upstream (cancelled, refused here): another may go. */
  released(name: string): void {
    this.#probes.delete(name);
  }

  /**
   * What a run throws that was not let through, or whose probe failed: it waits for the upstream and
   * is taken up in its turn (B2).
   *
   * @param untilMs  Then it is taken up in any case, to find that its time is over.
   */
  park(name: string, invocationId: string, probed: boolean, untilMs?: number): Suspended {
    const record = (): void => {
      this.#sql.run(
        `INSERT INTO parked VALUES (?, ?, ?)
         ON CONFLICT (invocation_id) DO UPDATE SET name = excluded.name,
           probes = CASE name WHEN excluded.name THEN probes ELSE 0 END + excluded.probes`,
        invocationId,
        name,
        probed ? 1 : 0,
      );
    };
    const atMs = this.#dueMs(name);
    const told = { upstream: name, ...(atMs !== undefined && { due_at: rfc3339(atMs) }) };
    return new Suspended("upstream", untilMs, [], record, told);
  }

  /** Make one parked run due for each upstream whose probe is. */
  wakeDue(nowMs: number): void {
    for (const name of this.#open()) {
      if ((this.#dueMs(name) ?? nowMs) > nowMs || this.#coming(name, nowMs)) continue;
      this.#sql.run(
        `UPDATE invocation SET due_ms = ? WHERE id = (
           SELECT p.invocation_id FROM parked p JOIN invocation i ON i.id = p.invocation_id
           WHERE p.name = ? AND i.status = 'waiting' ORDER BY p.probes, p.invocation_id LIMIT 1)`,
        nowMs,
        name,
      );
    }
  }

  /** When `wakeDue` has something to do; undefined while nothing is parked. */
  nextMs(nowMs: number): number | undefined {
    const times = this.#open().flatMap((name) => {
      const atMs = this.#dueMs(name);
      const wanted = atMs !== undefined && !this.#coming(name, nowMs) && this.#waits(name, nowMs);
      return wanted ? [atMs] : [];
    });
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Somebody says it is time: what is open is probed at once. */
  probeNow(): void {
    const nowMs = this.#now();
    this.#sql.run("UPDATE breaker SET probe_ms = ? WHERE probe_ms > ?", nowMs, nowMs);
    this.forget();
  }

  /** Those that are open, and how much waits for each. */
  report(): readonly OpenBreaker[] {
    return this.#open().map((name) => ({
      upstream: name,
      failures: this.#all().get(name)?.failures ?? 0,
      probe_at: rfc3339(this.#dueMs(name) ?? 0),
      parked: this.#sql.one<{ n: number }>(COUNT_PARKED, name)?.n ?? 0,
    }));
  }

  /** The rows behind what is kept here are gone, or others. */
  forget(): void {
    this.#known = undefined;
    this.#probes.clear();
  }

  #all(): Map<string, Breaker> {
    this.#known ??= new Map(
      this.#sql
        .all<BreakerRow>("SELECT * FROM breaker")
        .map(({ name, failures, trips, probe_ms: probeMs }) => [
          name,
          { failures, trips, probeMs },
        ]),
    );
    return this.#known;
  }

  #open(): readonly string[] {
    const open: string[] = [];
    for (const [name, { probeMs }] of this.#all()) if (probeMs !== null) open.push(name);
    return open;
  }

  #dueMs(name: string): number | undefined {
    const probeMs = this.#all().get(name)?.probeMs ?? undefined;
    return probeMs === undefined ? undefined : Math.max(probeMs, this.#probes.get(name) ?? 0);
  }

  /** Is one of the parked due already? */
  #coming(name: string, nowMs: number): boolean {
    return this.#sql.one(`${PARKED} AND i.due_ms <= ? LIMIT 1`, name, nowMs) !== undefined;
  }

  #waits(name: string, nowMs: number): boolean {
    const waits = `${PARKED} AND (i.due_ms IS NULL OR i.due_ms > ?) LIMIT 1`;
    return this.#sql.one(waits, name, nowMs) !== undefined;
  }
}

/** The upstream that a model is asked at: its provider. */
export function upstreamOf(ref: string): string {
  return `model/${ref.slice(0, ref.indexOf("/"))}`;
}

const COUNT_PARKED = `SELECT count(*) AS n FROM parked p
  JOIN invocation i ON i.id = p.invocation_id WHERE p.name = ? AND i.status = 'waiting'`;

const PARKED = `SELECT 1 FROM parked p JOIN invocation i ON i.id = p.invocation_id
  WHERE p.name = ? AND i.status = 'waiting'`;
