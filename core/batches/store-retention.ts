/**
 * What is left of batches that have ended, in pieces: first what was asked and what became of it, a
 * week later the batch itself, by whose key nothing runs twice until then.
 */
import { and, asc, eq, exists, inArray, lt, notExists } from "drizzle-orm";
import { STUB_MS } from "../content/contract.ts";
import type { PlatformScope } from "../db/scope.ts";
import { firstIdAt } from "../ids.ts";
import { batch, batchChunk, batchResult } from "./table.ts";

/** Batches of one tenant whose inputs go at once: a thousand chunks or so. */
const BATCHES = 10;
/** Rows of results at once. */
const RESULTS = 1000;

/**
 * Some of what ended before `beforeMs`; doing it twice changes nothing.
 *
 * @returns  whether there may be more of it
 */
export async function sweepBatches(
  platform: PlatformScope,
  tenantId: string,
  beforeMs: number,
): Promise<boolean> {
  const inputs = await sweepInputs(platform, tenantId, beforeMs);
  const results = await sweepResults(platform, tenantId, beforeMs);
  const rows = await sweepRows(platform, tenantId, beforeMs - STUB_MS);
  return inputs || results || rows;
}

/** All of a batch's together: one that is half there would be read as a smaller one. */
async function sweepInputs(
  { db }: PlatformScope,
  tenantId: string,
  beforeMs: number,
): Promise<boolean> {
  const ended = db
    .select({ id: batch.id })
    .from(batch)
    .where(and(endedBefore(tenantId, beforeMs), exists(chunksOf(db, tenantId))))
    .orderBy(asc(batch.id))
    .limit(BATCHES);
  const gone = await db
    .delete(batchChunk)
    .where(and(eq(batchChunk.tenantId, tenantId), inArray(batchChunk.batchId, ended)))
    .returning({ batchId: batchChunk.batchId });
  return new Set(gone.map(({ batchId }) => batchId)).size === BATCHES;
}

/** Of batches that have no inputs any more, whatever the ledger told again since. */
async function sweepResults(
  { db }: PlatformScope,
  tenantId: string,
  beforeMs: number,
): Promise<boolean> {
  const { batchId, invocationId, tenantId: of, completedAtMs } = batchResult;
  const inputs = db
    .select({ id: batchChunk.id })
    .from(batchChunk)
    .where(and(eq(batchChunk.tenantId, tenantId), eq(batchChunk.batchId, batchId)));
  const old = db
    .select({ id: invocationId })
    .from(batchResult)
    .where(
      and(
        eq(of, tenantId),
        lt(batchId, firstIdAt("batch", beforeMs)),
        lt(completedAtMs, beforeMs),
        notExists(inputs),
      ),
    )
    .orderBy(asc(batchId), asc(invocationId))
    .limit(RESULTS);
  const gone = await db
    .delete(batchResult)
    .where(and(eq(of, tenantId), inArray(invocationId, old)))
    .returning({ id: invocationId });
  return gone.length === RESULTS;
}

async function sweepRows(
  { db }: PlatformScope,
  tenantId: string,
  beforeMs: number,
): Promise<boolean> {
  const old = db
    .select({ id: batch.id })
    .from(batch)
    .where(and(endedBefore(tenantId, beforeMs), notExists(chunksOf(db, tenantId))))
    .orderBy(asc(batch.id))
    .limit(RESULTS);
  const gone = await db
    .delete(batch)
    .where(and(eq(batch.tenantId, tenantId), inArray(batch.id, old)))
    .returning({ id: batch.id });
  return gone.length === RESULTS;
}

function chunksOf(db: PlatformScope["db"], tenantId: string) {
  return db
    .select({ id: batchChunk.id })
    .from(batchChunk)
    .where(and(eq(batchChunk.tenantId, tenantId), eq(batchChunk.batchId, batch.id)));
}

/** Ids of batches are in the order of time: what is young is not looked at one by one. */
function endedBefore(tenantId: string, beforeMs: number) {
  return and(
    eq(batch.tenantId, tenantId),
    lt(batch.id, firstIdAt("batch", beforeMs)),
    inArray(batch.status, ["completed", "cancelled"]),
    lt(batch.completedAtMs, beforeMs),
  );
}
