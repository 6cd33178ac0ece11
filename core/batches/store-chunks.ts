/** Chunks of batches: what of them was handed over, and when the rest is to be. */
import { type SQL, and, asc, eq, inArray, isNotNull, lte, or, sql } from "drizzle-orm";
import { insertRows } from "../db/bulk.ts";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import type { LedgerEntry } from "../usage/contract.ts";
import type { Outcome } from "./contract.ts";
import { batch, batchChunk, batchResult } from "./table.ts";

/** A wake-up: a chunk to hand over, or a batch to see to. Ids only. */
export type BatchMessage = {
  readonly tenantId: string;
  readonly batchId: string;
  readonly first?: number;
};

/** How long whoever was woken is given before cron wakes another. */
const RESEND_MS = 30_000;

export type ChunkRow = typeof batchChunk.$inferSelect;

/** The id of the chunk that begins with that input. */
export function chunkId(batchId: string, first: number): string {
  return `${batchId}.${first}`;
}

/** A chunk and its batch; undefined for what is not (any more) to be handed over. */
export async function chunkToHandOver(
  scope: TenantScope,
  batchId: string,
  first: number,
): Promise<{ readonly batch: typeof batch.$inferSelect; readonly chunk: ChunkRow } | undefined> {
  const [[of], [chunk]] = await scope.db.batch([
    scope.db.select().from(batch).where(one(scope, batchId)),
    scope.db
      .select()
      .from(batchChunk)
      .where(
        and(
          eq(batchChunk.tenantId, scope.tenantId),
          eq(batchChunk.id, chunkId(batchId, first)),
          eq(batchChunk.dropped, 0),
          isNotNull(batchChunk.dueAtMs),
        ),
      ),
  ]);
  return of?.status === "running" && chunk !== undefined ? { batch: of, chunk } : undefined;
}

/**
 * What came of handing a chunk over, unless somebody else has written it meanwhile: the same keys
 * gave both the same invocations, so the loser only asks again.
 *
 * @param dueAtMs  When the rest is to be handed over; null when nothing is left.
 */
export async function putOutcomes(
  scope: TenantScope,
  chunk: ChunkRow,
  outcomes: readonly Outcome[],
  dueAtMs: number | null,
): Promise<boolean> {
  const handed = outcomes.filter((outcome) => outcome !== null);
  const refused = handed.filter((outcome) => typeof outcome !== "string").length;
  // What a cancel has dropped meanwhile is not handed over again; what was, is still written down.
  const due =
    dueAtMs === null
      ? null
      : sql`case when ${batchChunk.dropped} = 1 then null else cast(${dueAtMs} as bigint) end`;
  const [written] = await scope.db
    .update(batchChunk)
    .set({
      outcomes,
      handed: handed.length,
      refused,
      dueAtMs: due,
      revision: sql`${batchChunk.revision} + 1`,
    })
    .where(
      and(
        eq(batchChunk.tenantId, scope.tenantId),
        eq(batchChunk.id, chunk.id),
        or(eq(batchChunk.revision, chunk.revision), eq(batchChunk.dropped, 1)),
      ),
    )
    .returning({ id: batchChunk.id });
  return written !== undefined;
}

/** Chunks of a batch from input `first` on, in order. */
export async function listChunks(
  scope: TenantScope,
  batchId: string,
  first: number,
  limit: number,
): Promise<readonly ChunkRow[]> {
  const { tenantId } = scope;
  return scope.db
    .select()
    .from(batchChunk)
    .where(
      and(
        eq(batchChunk.tenantId, tenantId),
        eq(batchChunk.batchId, batchId),
        sql`${batchChunk.first} >= ${first}`,
      ),
    )
    .orderBy(asc(batchChunk.first))
    .limit(limit);
}

/** Chunks that are due, each put off so that of two crons one takes it. */
export async function dueChunks(
  platform: PlatformScope,
  nowMs: number,
  limit: number,
): Promise<readonly BatchMessage[]> {
  const due = platform.db
    .select({ id: batchChunk.id })
    .from(batchChunk)
    .where(lte(batchChunk.dueAtMs, nowMs))
    .orderBy(asc(batchChunk.dueAtMs))
    .limit(limit);
  return platform.db
    .update(batchChunk)
    .set({ dueAtMs: nowMs + RESEND_MS })
    .where(and(inArray(batchChunk.id, due), lte(batchChunk.dueAtMs, nowMs)))
    .returning({
      tenantId: batchChunk.tenantId,
      batchId: batchChunk.batchId,
      first: batchChunk.first,
    });
}

/** Statements that take over ended invocations of batches; one that is there stays as it is. */
export function batchResultInserts(scope: TenantScope, entries: readonly LedgerEntry[]) {
  const rows = entries.flatMap(({ invocation, batchId }) =>
    batchId === undefined || invocation.completed_at === null
      ? []
      : [
          {
            tenantId: scope.tenantId,
            batchId,
            invocationId: invocation.id,
            status: invocation.status,
            completedAtMs: Date.parse(invocation.completed_at),
          },
        ],
  );
  if (rows.length === 0) return [];
  const byId = new Map(rows.map((row) => [row.invocationId, row]));
  return [insertRows(scope, batchResult, [...byId.values()]).onConflictDoNothing()];
}

/** The batch with this id, if it is the tenant's. */
export function one({ tenantId }: TenantScope, id: string): SQL | undefined {
  return and(eq(batch.tenantId, tenantId), eq(batch.id, id));
}
