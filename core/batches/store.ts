/**
 * Batches: many inputs of one agent, each an invocation under a key of its own.
 *
 * B1  A batch, its inputs and the audit entry are written together, before the answer.
 * B2  An input's key is the batch's id and its place: handing it over again meets the invocation
 *     that is there.
 * B3  What the agent cannot take now waits; only what it would never take is refused.
 * B4  How far it is, is counted from what the objects told the ledger. It may lag; it never decides.
 */
import { type SQL, and, asc, count, desc, eq, inArray, lt, lte, max, sql } from "drizzle-orm";
import { agentIds } from "../agents/live.ts";
import { auditRow, recorded, recordedIfChanged } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { runAll } from "../db/statements.ts";
import { newId } from "../ids.ts";
import { type Page, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import type { Batch, BatchCounts, BatchInput, BatchListQuery, BatchStatus } from "./contract.ts";
import { countsOf, etaOf, type Tally } from "./progress.ts";
import { type BatchMessage, chunkId, one } from "./store-chunks.ts";
import { batch, batchChunk, batchResult } from "./table.ts";

type BatchRow = typeof batch.$inferSelect;

export type NewBatch = Pick<
  BatchRow,
  | "agentId"
  | "environment"
  | "principalId"
  | "speaker"
  | "idem"
  | "fingerprint"
  | "notices"
  | "redrivenFrom"
>;

/** Inputs of a chunk, at most so many and, with the JSON around them, about so long. */
const CHUNK_INPUTS = 100;
const CHUNK_UNITS = 400_000;

/** Inputs that stand together. `first` is the place of the first one. */
export type Chunk = { readonly first: number; readonly inputs: readonly BatchInput[] };

export function chunksOf(inputs: readonly BatchInput[]): readonly Chunk[] {
  const chunks: { first: number; inputs: BatchInput[] }[] = [];
  let units = 0;
  inputs.forEach((input, place) => {
    const size = JSON.stringify(input).length;
    const last = chunks.at(-1);
    if (!last || last.inputs.length === CHUNK_INPUTS || units + size > CHUNK_UNITS) {
      chunks.push({ first: place, inputs: [input] });
      units = size;
    } else {
      last.inputs.push(input);
      units += size;
    }
  });
  return chunks;
}

/**
 * B1. A request that is known by its key is answered with the batch it made.
 *
 * @param seal  Seals the inputs of a chunk for the row with this id.
 * @returns  `made` false: it was there.
 * @throws Problem `idempotency_mismatch`
 */
export async function createBatch(
  scope: TenantScope,
  wanted: NewBatch,
  chunks: readonly Chunk[],
  seal: (id: string, text: string) => string,
  nowMs: number,
): Promise<{ readonly id: string; readonly made: boolean }> {
  const { db, tenantId } = scope;
  const id = newId("batch", nowMs);
  const total = chunks.reduce((sum, { inputs }) => sum + inputs.length, 0);
  const { agentId: agent, environment, redrivenFrom } = wanted;
  const from = redrivenFrom === null ? {} : { redriven_from: redrivenFrom };
  const detail = { agent, environment, inputs: total, ...from };
  const entry = await auditRow(
    scope,
    { action: "batch.created", kind: "batch", id, detail },
    nowMs,
  );
  const times = { createdAtMs: nowMs, updatedAtMs: nowMs, completedAtMs: null };
  const state = { status: "running" as const, error: null, counts: null, lastChangeId: entry.id };
  const row = { tenantId, id, ...wanted, total, ...state, ...times };
  const rows = chunks.map(({ first, inputs }) => ({
    tenantId,
    id: chunkId(id, first),
    batchId: id,
    first,
    size: inputs.length,
    sealedInputs: seal(chunkId(id, first), JSON.stringify(inputs)),
    outcomes: null,
    handed: 0,
    refused: 0,
    dropped: 0,
    revision: 1,
    dueAtMs: nowMs + FIRST_SEND_MS,
  }));
  try {
    await runAll(db, [
      db.insert(batch).values(row),
      ...rows.map((chunk) => db.insert(batchChunk).values(chunk)),
      recorded(scope, entry),
    ]);
    return { id, made: true };
  } catch (error) {
    const known = await findByRequest(scope, wanted);
    if (known === undefined) throw error;
    return { id: known, made: false };
  }
}

/** Until cron looks whether the messages of a new batch have come. */
const FIRST_SEND_MS = 30_000;

/**
 * The batch that a request with this key has made.
 *
 * @throws Problem `idempotency_mismatch`
 */
export async function findByRequest(
  scope: TenantScope,
  { speaker, idem, fingerprint }: Pick<NewBatch, "speaker" | "idem" | "fingerprint">,
): Promise<string | undefined> {
  if (idem === null) return undefined;
  const [row] = await scope.db
    .select({ id: batch.id, fingerprint: batch.fingerprint })
    .from(batch)
    .where(
      and(eq(batch.tenantId, scope.tenantId), eq(batch.speaker, speaker), eq(batch.idem, idem)),
    );
  if (row === undefined || row.fingerprint === fingerprint) return row?.id;
  throw new Problem("idempotency_mismatch", "use a new key for a new request");
}

/** Inputs of this tenant that no agent has taken yet. */
export async function countWaiting(scope: TenantScope): Promise<number> {
  const [row] = await scope.db
    .select({
      waiting: sql`coalesce(sum(${batchChunk.size} - ${batchChunk.handed}), 0)`.mapWith(Number),
    })
    .from(batchChunk)
    .where(and(eq(batchChunk.tenantId, scope.tenantId), eq(batchChunk.dropped, 0), unhanded()));
  return row?.waiting ?? 0;
}

/** @throws Problem `not_found` */
export async function getBatch(scope: TenantScope, id: string, nowMs: number): Promise<Batch> {
  const row = await findBatch(scope, id);
  const [tally] = await tallies(scope, [id]);
  return toWire(row, tally, nowMs);
}

/** @throws Problem `not_found` */
export async function findBatch(scope: TenantScope, id: string): Promise<BatchRow> {
  const [row] = await scope.db.select().from(batch).where(one(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such batch");
  return row;
}

/** Newest first. */
export async function listBatches(
  scope: TenantScope,
  query: BatchListQuery,
  nowMs: number,
): Promise<Page<Batch>> {
  const before = idAfter("batch", query.cursor);
  const rows = await scope.db
    .select()
    .from(batch)
    .where(
      and(
        eq(batch.tenantId, scope.tenantId),
        before === undefined ? undefined : lt(batch.id, before),
        query.agent === undefined
          ? undefined
          : inArray(batch.agentId, agentIds(scope, query.agent)),
        query.status === undefined ? undefined : eq(batch.status, query.status),
      ),
    )
    .orderBy(desc(batch.id))
    .limit(query.limit + 1);
  const page = pageOf(rows, query.limit, (row) => row.id);
  const open = page.data.filter(({ counts }) => counts === null).map(({ id }) => id);
  const found = new Map((await tallies(scope, open)).map((tally) => [tally.batchId, tally]));
  return { ...page, data: page.data.map((row) => toWire(row, found.get(row.id), nowMs)) };
}

/**
 * `running → cancelling`, and what was not handed over never is; again changes nothing.
 *
 * @param error  Why, when nobody asked for it.
 * @throws Problem `not_found` | `conflict` for one that is complete
 */
export async function cancelBatch(
  scope: TenantScope,
  id: string,
  nowMs: number,
  error: BatchRow["error"] = null,
): Promise<void> {
  const { db, tenantId } = scope;
  const detail = { ...(error && { reason: error.code }) };
  const fact = { action: "batch.cancelled", kind: "batch", id, detail };
  const entry = await auditRow(scope, fact, nowMs);
  const changed = db
    .select({ id: batch.id })
    .from(batch)
    .where(and(one(scope, id), eq(batch.lastChangeId, entry.id)));
  const [[moved]] = await db.batch([
    db
      .update(batch)
      .set({ status: "cancelling", error, lastChangeId: entry.id, updatedAtMs: nowMs })
      .where(and(one(scope, id), eq(batch.status, "running")))
      .returning({ id: batch.id }),
    db
      .update(batchChunk)
      .set({ dropped: 1, dueAtMs: null, revision: sql`${batchChunk.revision} + 1` })
      .where(
        and(eq(batchChunk.tenantId, tenantId), inArray(batchChunk.batchId, changed), unhanded()),
      ),
    recordedIfChanged(scope, entry, batch, one(scope, id)),
  ]);
  if (moved !== undefined) return;
  const { status } = await findBatch(scope, id);
  if (status === "completed") throw new Problem("conflict", "the batch is complete");
}

/** Write down the end of a batch that has come to it; again, or too early, changes nothing. */
export async function settleBatch(scope: TenantScope, id: string, nowMs: number): Promise<boolean> {
  const row = await findBatch(scope, id);
  if (row.counts !== null) return true;
  const [tally] = await tallies(scope, [id]);
  const counts = countsOf(row.total, tally);
  if (counts.waiting + counts.open > 0) return false;
  const status: BatchStatus = row.status === "cancelling" ? "cancelled" : "completed";
  const fact = { action: `batch.settled`, kind: "batch", id, detail: { status, ...counts } };
  const entry = await auditRow(scope, fact, nowMs);
  const completedAtMs = tally?.lastMs ?? nowMs;
  const change = { status, counts, completedAtMs, lastChangeId: entry.id, updatedAtMs: nowMs };
  await scope.db.batch([
    scope.db
      .update(batch)
      .set(change)
      .where(and(one(scope, id), eq(batch.status, row.status))),
    recordedIfChanged(scope, entry, batch, one(scope, id)),
  ]);
  return true;
}

/** Batches that are not at their end, those that were not looked at for the longest time first. */
export async function openBatches(
  platform: PlatformScope,
  beforeMs: number,
  nowMs: number,
  limit: number,
): Promise<readonly BatchMessage[]> {
  const open = platform.db
    .select({ id: batch.id })
    .from(batch)
    .where(and(inArray(batch.status, ["running", "cancelling"]), lte(batch.updatedAtMs, beforeMs)))
    .orderBy(asc(batch.updatedAtMs))
    .limit(limit);
  return platform.db
    .update(batch)
    .set({ updatedAtMs: nowMs })
    .where(inArray(batch.id, open))
    .returning({ tenantId: batch.tenantId, batchId: batch.id });
}

/** Ids of a batch's invocations that ended without an answer. */
export async function failuresOf(scope: TenantScope, id: string): Promise<ReadonlySet<string>> {
  const rows = await scope.db
    .select({ id: batchResult.invocationId })
    .from(batchResult)
    .where(
      and(
        eq(batchResult.tenantId, scope.tenantId),
        eq(batchResult.batchId, id),
        inArray(batchResult.status, ["failed", "dead"]),
      ),
    );
  return new Set(rows.map((row) => row.id));
}

function unhanded(): SQL {
  return lt(batchChunk.handed, batchChunk.size);
}

/** B4. Two statements, however many batches; at most a page of them. */
async function tallies(scope: TenantScope, ids: readonly string[]): Promise<readonly Tally[]> {
  if (ids.length === 0) return [];
  const { db, tenantId } = scope;
  const wanted = ids.slice(0, 90);
  const [results, chunks] = await db.batch([
    db
      .select({
        batchId: batchResult.batchId,
        status: batchResult.status,
        ended: count(),
        lastMs: max(batchResult.completedAtMs),
      })
      .from(batchResult)
      .where(and(eq(batchResult.tenantId, tenantId), inArray(batchResult.batchId, wanted)))
      .groupBy(batchResult.batchId, batchResult.status),
    db
      .select({
        batchId: batchChunk.batchId,
        dropped: batchChunk.dropped,
        size: sql`sum(${batchChunk.size})`.mapWith(Number),
        handed: sql`sum(${batchChunk.handed})`.mapWith(Number),
        refused: sql`sum(${batchChunk.refused})`.mapWith(Number),
      })
      .from(batchChunk)
      .where(and(eq(batchChunk.tenantId, tenantId), inArray(batchChunk.batchId, wanted)))
      .groupBy(batchChunk.batchId, batchChunk.dropped),
  ]);
  return wanted.map((batchId) => ({
    batchId,
    ended: results.filter((row) => row.batchId === batchId),
    chunks: chunks.filter((row) => row.batchId === batchId),
    lastMs:
      Math.max(0, ...results.flatMap((row) => (row.batchId === batchId ? (row.lastMs ?? 0) : 0))) ||
      null,
  }));
}

function toWire(row: BatchRow, tally: Tally | undefined, nowMs: number): Batch {
  const counts: BatchCounts = row.counts ?? countsOf(row.total, tally);
  const done = row.total - counts.waiting - counts.open;
  const over = done === row.total;
  const completedAtMs = row.completedAtMs ?? (over ? (tally?.lastMs ?? row.updatedAtMs) : null);
  const ended = row.status === "cancelling" ? "cancelled" : "completed";
  return {
    id: row.id,
    agent_id: row.agentId,
    environment: row.environment,
    status: over && row.counts === null ? ended : row.status,
    total: row.total,
    counts,
    done,
    eta: over ? null : etaOf(row.createdAtMs, nowMs, done, row.total),
    error: row.error,
    notices: row.notices,
    redriven_from: row.redrivenFrom,
    created_by: row.principalId,
    created_at: rfc3339(row.createdAtMs),
    completed_at: completedAtMs === null ? null : rfc3339(completedAtMs),
  };
}
