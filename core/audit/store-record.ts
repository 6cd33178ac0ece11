/**
 * Writing an audit entry in the batch of the change it tells of: both or neither.
 *
 * A guarded statement that misses does not roll a batch back on D1 (DECISIONS 26), so the entry of
 * a guarded change is written only where the change itself left its mark: `lastChangeId` of the
 * changed row is the entry's id.
 */
import { type SQL, and, eq } from "drizzle-orm";
import type { SQLiteColumn, SQLiteInsertValue, SQLiteTable } from "drizzle-orm/sqlite-core";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { newId } from "../ids.ts";
import { canonical } from "../json/canonical.ts";
import { sha256 } from "./chain.ts";
import { audit } from "./table.ts";

/** One thing that was done. */
export type Fact = {
  /** `noun.verbed`: `key.rotated`. */
  readonly action: string;
  readonly kind: string;
  readonly id: string;
  readonly result?: "done" | "refused";
  /** What the resource was and became, as its owner may see it. Only digests are kept. */
  readonly before?: unknown;
  readonly after?: unknown;
  /** Small facts that are no secret and no person's. */
  readonly detail?: Readonly<Record<string, string | number | boolean | null | undefined>>;
};

/** An entry that is not written yet. Its `id` is the change's id. */
export type AuditRow = typeof audit.$inferInsert;

/** The entry of `fact`, done by whoever `scope` acts for. Reads nothing. */
export async function auditRow(scope: TenantScope, fact: Fact, nowMs: number): Promise<AuditRow> {
  const { by } = scope;
  return {
    tenantId: scope.tenantId,
    id: newId("audit", nowMs),
    atMs: nowMs,
    action: fact.action,
    actorKind: by.kind,
    actorId: by.id,
    address: by.address,
    requestId: by.requestId,
    resourceKind: fact.kind,
    resourceId: fact.id,
    result: fact.result ?? "done",
    beforeDigest: fact.before === undefined ? null : await sha256(canonical(fact.before)),
    afterDigest: fact.after === undefined ? null : await sha256(canonical(fact.after)),
    detail: fact.detail === undefined ? null : canonical(fact.detail),
    seq: null,
    previousHash: null,
    hash: null,
  };
}

/** The entry as a statement of its change's batch, for a change that cannot miss. */
export function recorded(scope: TenantScope, row: AuditRow) {
  return scope.db.insert(audit).values(row);
}

/** An entry by itself: of an access, or of what is about to be asked of an object. */
export async function record(scope: TenantScope, fact: Fact, nowMs: number): Promise<void> {
  await recorded(scope, await auditRow(scope, fact, nowMs));
}

/**
 * The entry, written when `where` finds a row of `table`, once: before a guarded delete.
 *
 * @param row  `resourceId` may be a column of `table`.
 */
export function recordedWhere(
  scope: TenantScope,
  row: SQLiteInsertValue<typeof audit>,
  table: SQLiteTable,
  where: SQL | undefined,
) {
  return insertWhere(scope.db, audit, row, table, where, true);
}

/** The entry, after a guarded statement that set `lastChangeId` to the entry's id. */
export function recordedIfChanged<T extends SQLiteTable & { lastChangeId: SQLiteColumn }>(
  scope: TenantScope,
  row: AuditRow,
  table: T,
  where: SQL | undefined,
) {
  return recordedWhere(scope, row, table, and(where, eq(table.lastChangeId, row.id)));
}
