/**
 * What the object holds of limits and budgets that the tenant's gate keeps, and what of it is
 * reserved for which invocation. Synchronous: it is looked at and written inside transactions.
 *
 * U1  Free is `granted - returned - used - held`; it is reserved or used in the transaction that
 *     found it.
 * U2  A reservation is a row of its invocation: it is settled in the transaction that ends or
 *     suspends the invocation, so no crash frees it early or keeps it for good.
 * U3  What an invocation has used of a budget is the sum of its steps, by which `charged` is
 *     brought up; never a sum of estimates.
 */
import type { Allowance } from "../../core/limits/rules.ts";
import type { Account, Asked, LeaseName } from "../tenant-gate/contract-leases.ts";
import type { Sql } from "./sql.ts";

/** So much of an allowance. */
export type Need = { readonly of: Allowance; readonly units: number };

type Row = {
  readonly id: string;
  readonly since_ms: number;
  readonly granted: number;
  readonly returned: number;
  readonly used: number;
  readonly held: number;
};

type Reservation = {
  readonly lease: string;
  readonly since_ms: number;
  readonly kind: Allowance["kind"];
  readonly held: number;
  readonly charged: number;
};

/** Periods that are over are kept so long, for what still speaks of them. */
const OVER_MS = 60_000;

export class Purse {
  readonly #sql: Sql;
  /** False: there is no reservation, and none is asked for. */
  #some = false;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.look();
  }

  /** Rows came that are not of this life's making, or may have. */
  look(): void {
    this.#some = this.#sql.one("SELECT 1 FROM reservation LIMIT 1") !== undefined;
  }

  has(invocationId: string): boolean {
    if (!this.#some) return false;
    const one = "SELECT 1 FROM reservation WHERE invocation_id = ? LIMIT 1";
    return this.#sql.one(one, invocationId) !== undefined;
  }

  free(of: Allowance): number {
    const row = this.#row({ id: of.id, sinceMs: of.window.sinceMs });
    return row === undefined ? 0 : freeOf(row);
  }

  /** Does what is held not cover it? What costs nothing always is covered. */
  lacks({ of, units }: Need): boolean {
    return units > 0 && this.free(of) < units;
  }

  /** In a transaction: count, reserve places, and put money aside. */
  take(invocationId: string, needs: readonly Need[]): void {
    for (const { of, units } of needs) {
      const counted = of.kind === "rate" ? units : 0;
      this.#add(of, counted, units - counted);
      if (of.kind !== "rate") this.#reserve(invocationId, of, units, 0);
    }
  }

  /** In a transaction: what is spent is charged, and so much put aside for what comes next. */
  putAside(invocationId: string, needs: readonly Need[], spentMicros: number): void {
    this.release(invocationId, spentMicros);
    for (const { of, units } of needs) {
      this.#add(of, 0, units);
      this.#reserve(invocationId, of, units, spentMicros);
    }
  }

  /** In a transaction: what is spent is charged, and the money put aside is free again. */
  release(invocationId: string, spentMicros: number): void {
    for (const reservation of this.#reservations(invocationId)) {
      if (reservation.kind === "money") this.#charge(reservation, spentMicros);
    }
    this.#sql.run(
      `UPDATE reservation SET held = 0, charged = ? WHERE invocation_id = ? AND lease IN
         (SELECT id FROM lease WHERE kind = 'money')`,
      spentMicros,
      invocationId,
    );
  }

  /** In the transaction of its end: charged for good, and its places are free. */
  settle(invocationId: string, spentMicros: number): void {
    for (const reservation of this.#reservations(invocationId)) {
      this.#charge(reservation, reservation.kind === "money" ? spentMicros : reservation.charged);
    }
    this.#sql.run("DELETE FROM reservation WHERE invocation_id = ?", invocationId);
  }

  /** What the gate has given in all: the higher number is the newer one. */
  granted({ id, sinceMs, granted }: Asked): void {
    this.#sql.run(
      "UPDATE lease SET granted = max(granted, ?) WHERE id = ? AND since_ms = ?",
      granted,
      id,
      sinceMs,
    );
  }

  /** As it is told to the gate; the row is made when there is none yet. */
  account(of: Allowance): Account {
    const name = { id: of.id, sinceMs: of.window.sinceMs };
    this.#add(of, 0, 0);
    return accountOf(name, this.#row(name));
  }

  /** What the gate asks for; `give`: all that is free goes back. */
  asked(asked: readonly Asked[], give: boolean): readonly Account[] {
    return this.#sql.transaction(() =>
      asked.map((name) => {
        this.granted(name);
        if (give) this.#giveBack(name);
        return accountOf(name, this.#row(name));
      }),
    );
  }

  /** What the gate has not been told of; what is left of periods that are over goes back. */
  untold(nowMs: number): readonly Account[] {
    this.#sql.run(
      `UPDATE lease SET returned = granted - used - held
       WHERE ends_ms <= ? AND granted - returned - used - held > 0`,
      nowMs,
    );
    return this.#sql
      .all<Row>("SELECT * FROM lease WHERE told <> used + returned")
      .map((row) => accountOf({ id: row.id, sinceMs: row.since_ms }, row));
  }

  told(accounts: readonly Account[], nowMs: number): void {
    this.#sql.transaction(() => {
      for (const { id, sinceMs, used, returned } of accounts) {
        const told = used + returned;
        this.#sql.run("UPDATE lease SET told = ? WHERE id = ? AND since_ms = ?", told, id, sinceMs);
      }
      this.#sql.run(
        `DELETE FROM lease WHERE ends_ms <= ? AND held = 0 AND told = used + returned
         AND NOT EXISTS (SELECT 1 FROM reservation r
           WHERE r.lease = lease.id AND r.since_ms = lease.since_ms)`,
        nowMs - OVER_MS,
      );
    });
  }

  #charge({ lease, since_ms, held, charged }: Reservation, spentMicros: number): void {
    this.#sql.run(
      "UPDATE lease SET used = used + ?, held = held - ? WHERE id = ? AND since_ms = ?",
      spentMicros - charged,
      held,
      lease,
      since_ms,
    );
  }

  #reserve(invocationId: string, of: Allowance, held: number, charged: number): void {
    this.#sql.run(
      `INSERT INTO reservation VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         since_ms = excluded.since_ms, held = excluded.held, charged = excluded.charged`,
      invocationId,
      of.id,
      of.window.sinceMs,
      held,
      charged,
    );
    this.#some = true;
  }

  #add({ id, window, kind }: Allowance, used: number, held: number): void {
    this.#sql.run(
      `INSERT INTO lease VALUES (?, ?, ?, 0, 0, ?, ?, 0, ?) ON CONFLICT DO UPDATE SET
         used = used + excluded.used, held = held + excluded.held`,
      id,
      window.sinceMs,
      kind,
      used,
      held,
      window.endsMs,
    );
  }

  #giveBack({ id, sinceMs }: LeaseName): void {
    this.#sql.run(
      `UPDATE lease SET returned = granted - used - held
       WHERE id = ? AND since_ms = ? AND granted - returned - used - held > 0`,
      id,
      sinceMs,
    );
  }

  #reservations(invocationId: string): readonly Reservation[] {
    return this.#sql.all<Reservation>(
      `SELECT r.lease, r.since_ms, r.held, r.charged, l.kind FROM reservation r
       JOIN lease l ON l.id = r.lease AND l.since_ms = r.since_ms WHERE r.invocation_id = ?`,
      invocationId,
    );
  }

  #row({ id, sinceMs }: LeaseName): Row | undefined {
    return this.#sql.one<Row>("SELECT * FROM lease WHERE id = ? AND since_ms = ?", id, sinceMs);
  }
}

function freeOf({ granted, returned, used, held }: Row): number {
  return granted - returned - used - held;
}

function accountOf({ id, sinceMs }: LeaseName, row: Row | undefined): Account {
  const { granted = 0, returned = 0, used = 0, held = 0 } = row ?? {};
  return { id, sinceMs, granted, returned, used, held };
}
