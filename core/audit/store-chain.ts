/** What the tenant's gate reads and writes of the trail. Nothing else writes these columns. */
import { type SQL, and, asc, desc, eq, exists, gt, isNotNull, isNull, lte, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { runAll } from "../db/statements.ts";
import type { Linked } from "./chain.ts";
import type { AuditEntry, Checkpoint, Mark } from "./contract.ts";
import { toCheckpoint, toEntry } from "./row.ts";
import { audit, auditCheckpoint } from "./table.ts";

/** What is after `seq` already, in the order of the chain, and what waits, in the order of its ids. */
export async function chainTail(
  scope: TenantScope,
  seq: number,
  limit: number,
): Promise<{ readonly ahead: readonly AuditEntry[]; readonly waiting: readonly AuditEntry[] }> {
  const [ahead, waiting] = await scope.db.batch([
    chainedAfter(scope, seq, limit),
    scope.db
      .select()
      .from(audit)
      .where(and(mine(scope), isNull(audit.seq)))
      .orderBy(asc(audit.id))
      .limit(limit),
  ]);
  return { ahead: ahead.map(toEntry), waiting: waiting.map(toEntry) };
}

/** The highest number there is; 0 for an empty chain. */
export async function topSeq(scope: TenantScope): Promise<number> {
  const [row] = await scope.db
    .select({ seq: audit.seq })
    .from(audit)
    .where(and(mine(scope), isNotNull(audit.seq)))
    .orderBy(desc(audit.seq))
    .limit(1);
  return row?.seq ?? 0;
}

/**
 * Give entries their places, in one batch. Each only while it has none, and each but the first only
 * behind the one before: what is written is a beginning of `links` without a gap, whoever else
 * chains at the same time. Two entries with one place are refused by the index, with the batch.
 */
export async function writeLinks(scope: TenantScope, links: readonly Linked[]): Promise<void> {
  const statements = links.map((link, index) => {
    const before = index === 0 ? undefined : links[index - 1];
    return scope.db
      .update(audit)
      .set({ seq: link.seq, previousHash: link.previous_hash, hash: link.hash })
      .where(
        and(
          mine(scope),
          eq(audit.id, link.id),
          isNull(audit.seq),
          before === undefined ? undefined : isChained(scope, before),
        ),
      );
  });
  await runAll(scope.db, statements);
}

/** A checkpoint for its place; one that is there stays. */
export async function keepCheckpoint(scope: TenantScope, checkpoint: Checkpoint): Promise<void> {
  const { seq, hash, at, kid, signature } = checkpoint;
  await scope.db
    .insert(auditCheckpoint)
    .values({ tenantId: scope.tenantId, seq, hash, atMs: Date.parse(at), kid, signature })
    .onConflictDoNothing();
}

/** Chained entries after `seq`, at most `limit`, as a statement. */
function chainedAfter(scope: TenantScope, seq: number, limit: number) {
  return scope.db
    .select()
    .from(audit)
    .where(and(mine(scope), gt(audit.seq, seq)))
    .orderBy(asc(audit.seq))
    .limit(limit);
}

/** A part of the chain with the checkpoints that stand in it. */
export async function chainPart(
  scope: TenantScope,
  seq: number,
  limit: number,
): Promise<{
  readonly entries: readonly AuditEntry[];
  readonly checkpoints: readonly Checkpoint[];
}> {
  const rows = await chainedAfter(scope, seq, limit);
  const last = rows.at(-1)?.seq ?? seq;
  const checkpoints = await scope.db
    .select()
    .from(auditCheckpoint)
    .where(
      and(
        eq(auditCheckpoint.tenantId, scope.tenantId),
        gt(auditCheckpoint.seq, seq),
        lte(auditCheckpoint.seq, last),
      ),
    )
    .orderBy(asc(auditCheckpoint.seq));
  return { entries: rows.map(toEntry), checkpoints: checkpoints.map(toCheckpoint) };
}

/** The checkpoint at `seq`; undefined when there is none. */
export async function findCheckpoint(
  scope: TenantScope,
  seq: number,
): Promise<Checkpoint | undefined> {
  const [row] = await scope.db
    .select()
    .from(auditCheckpoint)
    .where(and(eq(auditCheckpoint.tenantId, scope.tenantId), eq(auditCheckpoint.seq, seq)));
  return row && toCheckpoint(row);
}

/** How many entries wait to be chained. */
export async function countWaiting(scope: TenantScope): Promise<number> {
  const [row] = await scope.db
    .select({ count: sql<number>`count(*)` })
    .from(audit)
    .where(and(mine(scope), isNull(audit.seq)));
  return row?.count ?? 0;
}

/** Cron: tenants with entries that wait, after `after` in the order of their ids. */
export async function tenantsWaiting(
  platform: PlatformScope,
  after: string,
  limit: number,
): Promise<readonly string[]> {
  const rows = await platform.db
    .selectDistinct({ tenantId: audit.tenantId })
    .from(audit)
    .where(and(isNull(audit.seq), gt(audit.tenantId, after)))
    .orderBy(asc(audit.tenantId))
    .limit(limit);
  return rows.map(({ tenantId }) => tenantId);
}

function mine({ tenantId }: TenantScope): SQL {
  return eq(audit.tenantId, tenantId);
}

/** A condition: an entry stands in this very place. */
function isChained(scope: TenantScope, { seq, hash }: Mark): SQL {
  const before = alias(audit, "before");
  return exists(
    scope.db
      .select({ id: before.id })
      .from(before)
      .where(and(eq(before.tenantId, scope.tenantId), eq(before.seq, seq), eq(before.hash, hash))),
  );
}
