/**
 * Erasures: begun with the tenant's status in one batch, carried on phase by phase.
 *
 * E1  While there is a row with `due_at_ms`, somebody takes it up: whoever began it, or cron.
 * E2  A phase is left by a statement that names it: of two that carry one erasure, one goes on.
 * E3  The certificate, the end of the tenant's own row and `erased_at_ms` are one batch.
 */
import { type SQL, and, asc, eq, exists, gt, isNull, lte, ne, not, sql } from "drizzle-orm";
import { rfc3339 } from "../clock.ts";
import type { PlatformScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { newId } from "../ids.ts";
import { Problem } from "../problem.ts";
import { tenant } from "../tenants/table.ts";
import type { Erasure, ErasureCounts, ErasurePhase } from "./contract.ts";
import { erasure } from "./table.ts";

export type ErasureRow = typeof erasure.$inferSelect;

/** How long a slug stays nobody's after its tenant. */
const SLUG_KEPT_MS = 90 * 86_400_000;
/** How long a taker has before another may take the same erasure up. */
export const TAKEN_MS = 120_000;

export type Begin = {
  readonly tenantId: string;
  /** The tenant's slug, as whoever asks has written it out. */
  readonly confirm: string;
  readonly requestedBy: string;
  /** What isolates still believe of the tenant is over by then. */
  readonly dueAtMs: number;
};

/**
 * The tenant is `erasing` from here on; asked again, the erasure that is under way is the answer.
 *
 * @throws Problem `not_found` | `invalid` when `confirm` is not the tenant's slug.
 */
export async function beginErasure(
  platform: PlatformScope,
  { tenantId, confirm, requestedBy, dueAtMs }: Begin,
  nowMs: number,
): Promise<ErasureRow> {
  const { db } = platform;
  const [found] = await db.select().from(tenant).where(eq(tenant.id, tenantId));
  if (found === undefined) throw new Problem("not_found", "no such tenant");
  if (found.slug !== confirm) throw unconfirmed();
  const row: typeof erasure.$inferInsert = {
    tenantId,
    id: newId("erasure", nowMs),
    slug: confirm,
    phase: "count",
    requestedBy,
    requestedAtMs: nowMs,
    dueAtMs,
    slugFreeAtMs: nowMs + SLUG_KEPT_MS,
  };
  const standing = and(eq(tenant.id, tenantId), ne(tenant.status, "erasing"));
  await db.batch([
    insertWhere(db, erasure, row, tenant, standing),
    db
      .update(tenant)
      .set({ status: "erasing", updatedAtMs: nowMs, revision: sql`${tenant.revision} + 1` })
      .where(standing),
  ]);
  const [begun] = await db
    .select()
    .from(erasure)
    .where(and(eq(erasure.tenantId, tenantId), isNull(erasure.erasedAtMs)));
  if (begun === undefined) throw new Problem("conflict", "the tenant is being brought in");
  return begun;
}

/** @throws Problem `not_found` */
export async function getErasure(platform: PlatformScope, id: string): Promise<ErasureRow> {
  const [row] = await platform.db.select().from(erasure).where(eq(erasure.id, id));
  if (row === undefined) throw new Problem("not_found", "no such erasure");
  return row;
}

/** Take up to `limit` erasures that are due; nobody else is given them for `TAKEN_MS`. */
export async function takeErasures(
  platform: PlatformScope,
  nowMs: number,
  limit: number,
): Promise<readonly ErasureRow[]> {
  const due = await platform.db
    .select({ id: erasure.id })
    .from(erasure)
    .where(lte(erasure.dueAtMs, nowMs))
    .orderBy(asc(erasure.dueAtMs))
    .limit(limit);
  const taken = await Promise.all(
    due.map(({ id }) =>
      platform.db
        .update(erasure)
        .set({ dueAtMs: nowMs + TAKEN_MS })
        .where(and(eq(erasure.id, id), lte(erasure.dueAtMs, nowMs)))
        .returning(),
    ),
  );
  return taken.flat();
}

export type Advance = {
  readonly phase: ErasurePhase;
  readonly counts?: ErasureCounts;
  readonly keys?: readonly string[];
  readonly dueAtMs: number;
};

/** On to the next phase (E2). Undefined when somebody else has gone on already. */
export async function advanceErasure(
  platform: PlatformScope,
  { tenantId, id, phase }: ErasureRow,
  next: Advance,
): Promise<ErasureRow | undefined> {
  const [row] = await platform.db
    .update(erasure)
    .set(next)
    .where(and(eq(erasure.tenantId, tenantId), eq(erasure.id, id), eq(erasure.phase, phase)))
    .returning();
  return row;
}

/** E3. Again changes nothing. */
export async function completeErasure(
  platform: PlatformScope,
  { tenantId, id }: ErasureRow,
  certificate: string | null,
  nowMs: number,
): Promise<void> {
  await platform.db.batch([
    platform.db
      .update(erasure)
      .set({ certificate, erasedAtMs: nowMs, dueAtMs: null })
      .where(and(eq(erasure.tenantId, tenantId), eq(erasure.id, id), isNull(erasure.erasedAtMs))),
    platform.db.delete(tenant).where(and(eq(tenant.id, tenantId), eq(tenant.status, "erasing"))),
  ]);
}

/** True in a statement when no erased tenant but `except` had this slug lately. */
export function slugUnburied(
  { db }: Pick<PlatformScope, "db">,
  slug: string,
  nowMs: number,
  except = "",
): SQL {
  return not(
    exists(
      db
        .select({ id: erasure.id })
        .from(erasure)
        .where(
          and(
            eq(erasure.slug, slug),
            gt(erasure.slugFreeAtMs, nowMs),
            ne(erasure.tenantId, except),
          ),
        ),
    ),
  );
}

export function toErasure(row: ErasureRow): Erasure {
  return {
    id: row.id,
    tenant_id: row.tenantId,
    slug: row.slug,
    status: row.erasedAtMs === null ? "erasing" : "erased",
    phase: row.phase,
    counts: row.counts,
    requested_at: rfc3339(row.requestedAtMs),
    erased_at: row.erasedAtMs === null ? null : rfc3339(row.erasedAtMs),
    slug_free_at: rfc3339(row.slugFreeAtMs),
    certificate: row.certificate,
  };
}

function unconfirmed(): Problem {
  return new Problem("invalid", "write out the slug of the tenant that is to be erased", {
    errors: [{ pointer: "/confirm", detail: "is not this tenant's slug" }],
  });
}
