/** Batches on both engines. */
import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import type { BatchInput } from "../batches/contract.ts";
import { batchOfKey, itemKey } from "../batches/key.ts";
import {
  cancelBatch,
  chunksOf,
  countWaiting,
  createBatch,
  failuresOf,
  findByRequest,
  getBatch,
  listBatches,
  openBatches,
  settleBatch,
} from "../batches/store.ts";
import { chunkToHandOver, dueChunks, listChunks, putOutcomes } from "../batches/store-chunks.ts";
import { sweepBatches } from "../batches/store-retention.ts";
import { batchResult } from "../batches/table.ts";
import { STUB_MS } from "../content/contract.ts";
import { newId } from "../ids.ts";
import type { InvocationStatus } from "../invocations/contract.ts";
import { upsertLedger } from "../invocations/store.ts";
import type { TenantScope } from "./scope.ts";
import { ledgerEntry } from "./suite-ledger.ts";
import { NOON, missing, newAgent, newTenant, type Open, refusal } from "./suite-world.ts";

const inputs = (n: number): BatchInput[] =>
  Array.from({ length: n }, (_, i) => ({ input: `n${i}` }));

const asked = (agentId: string, more: object = {}) => ({
  agentId,
  environment: "prod",
  principalId: "key_a",
  speaker: "key_a",
  idem: null,
  fingerprint: "f",
  notices: [],
  redrivenFrom: null,
  ...more,
});

const seal = (_id: string, text: string) => text;

async function newBatch(scope: TenantScope, n: number, more: object = {}) {
  const { agent } = await newAgent(scope, `a-${newId("event", NOON).slice(-8)}`);
  const made = await createBatch(scope, asked(agent.id, more), chunksOf(inputs(n)), seal, NOON);
  return { ...made, agentId: agent.id };
}

/** The chunk's first inputs have become invocations that ended like this. */
async function handed(
  scope: TenantScope,
  { id, agentId }: { readonly id: string; readonly agentId: string },
  statuses: readonly InvocationStatus[],
) {
  const { chunk } = (await chunkToHandOver(scope, id, 0)) ?? missing("a chunk");
  const ids = statuses.map(() => newId("invocation", NOON));
  const outcomes = Array.from({ length: chunk.size }, (_, i) => ids[i] ?? null);
  await putOutcomes(scope, chunk, outcomes, outcomes.includes(null) ? NOON : null);
  const entry = ledgerEntry(agentId);
  const entries = ids.map((invocationId, i) => ({
    ...entry,
    usage: [],
    batchId: id,
    invocation: { ...entry.invocation, id: invocationId, status: statuses[i] ?? "failed" },
  }));
  await upsertLedger(scope, entries);
  await upsertLedger(scope, entries);
  return ids;
}

export function batchCases(open: Open): void {
  describe("batches", () => {
    it("F109: inputs stand in chunks, in their order, and each once", async () => {
      const { scope } = await newTenant(open());
      const { id } = await newBatch(scope, 250);
      const chunks = await listChunks(scope, id, 0, 100);
      expect(chunks.map(({ first, size }) => [first, size])).toEqual([
        [0, 100],
        [100, 100],
        [200, 50],
      ]);
      expect(JSON.parse(chunks[2]?.sealedInputs ?? "")).toEqual(inputs(250).slice(200));
      expect(
        chunksOf([{ input: "x".repeat(300_000) }, { input: "y".repeat(300_000) }]),
      ).toHaveLength(2);
      expect(await countWaiting(scope)).toBe(250);
    });

    it("B2: an input's key says which batch it is of, and no request's key does", () => {
      const id = newId("batch", NOON);
      expect(batchOfKey(itemKey(id, 7))).toBe(id);
      expect([batchOfKey(null), batchOfKey(id), batchOfKey("bat_x 1")]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
    });

    it("G4: one key is one batch; the same key with another request is refused", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope, "once");
      const wanted = asked(agent.id, { idem: "k" });
      const both = await Promise.all(
        [0, 1].map(() => createBatch(scope, wanted, chunksOf(inputs(1)), seal, NOON)),
      );
      expect(new Set(both.map(({ id }) => id)).size).toBe(1);
      expect(both.filter(({ made }) => made)).toHaveLength(1);
      expect(await refusal(findByRequest(scope, { ...wanted, fingerprint: "g" }))).toBe(
        "idempotency_mismatch",
      );
      expect(await findByRequest(scope, { ...wanted, speaker: "key_b" })).toBeUndefined();
    });

    it("B4: counts are those of the ledger, however often it tells", async () => {
      const { scope } = await newTenant(open());
      const batch = await newBatch(scope, 6);
      const [, failed = ""] = await handed(scope, batch, ["succeeded", "failed", "dead"]);
      const half = await getBatch(scope, batch.id, NOON + 3000);
      expect(half).toMatchObject({
        status: "running",
        done: 3,
        counts: { waiting: 3, open: 0, succeeded: 1, failed: 2, cancelled: 0, refused: 0 },
      });
      expect(Date.parse(half.eta ?? "")).toBe(NOON + 6000);
      expect(await failuresOf(scope, batch.id)).toContain(failed);
      expect(await settleBatch(scope, batch.id, NOON)).toBe(false);
    });

    it("F103: what was asked of an ended batch goes at once, the batch a week later", async () => {
      const platform = open();
      const [{ scope }, theirs] = [await newTenant(platform), await newTenant(platform)];
      const elsewhere = await newBatch(theirs.scope, 1);
      await handed(theirs.scope, elsewhere, ["succeeded"]);
      await settleBatch(theirs.scope, elsewhere.id, NOON);
      const standing = await newBatch(scope, 1);
      const ended = await Promise.all(Array.from({ length: 12 }, () => newBatch(scope, 120)));
      for (const batch of ended) {
        await cancelBatch(scope, batch.id, NOON);
        expect(await settleBatch(scope, batch.id, NOON)).toBe(true);
      }
      const [last = missing("a batch")] = ended.slice(-1);
      const chunks = async (batch: { readonly id: string }, of = scope) =>
        (await listChunks(of, batch.id, 0, 100)).length;
      const beforeMs = NOON + 1;
      expect(await sweepBatches(platform, scope.tenantId, NOON)).toBe(false);
      expect(await chunks(last)).toBe(2);
      expect(await sweepBatches(platform, scope.tenantId, beforeMs)).toBe(true);
      expect((await Promise.all(ended.map((it) => chunks(it)))).filter((n) => n > 0)).toHaveLength(
        2,
      );
      while (await sweepBatches(platform, scope.tenantId, beforeMs));
      expect(await chunks(last)).toBe(0);
      expect(await getBatch(scope, last.id, NOON)).toMatchObject({ counts: { cancelled: 120 } });
      await sweepBatches(platform, scope.tenantId, beforeMs + STUB_MS);
      expect(await refusal(getBatch(scope, last.id, NOON))).toBe("not_found");
      // What is open, and what is another tenant's, has no age.
      await sweepBatches(platform, scope.tenantId, beforeMs + 100 * STUB_MS);
      expect([await chunks(standing), await chunks(elsewhere, theirs.scope)]).toEqual([1, 1]);
    });

    it("F103: results go with the inputs, and one that is told again later goes again", async () => {
      const platform = open();
      const { scope } = await newTenant(platform);
      const [batch, standing] = [await newBatch(scope, 2), await newBatch(scope, 2)];
      await handed(scope, batch, ["succeeded", "failed"]);
      await handed(scope, standing, ["succeeded"]);
      await settleBatch(scope, batch.id, NOON);
      const results = async () => {
        const rows = await scope.db
          .select({ of: batchResult.batchId })
          .from(batchResult)
          .where(eq(batchResult.tenantId, scope.tenantId));
        return rows.map(({ of }) => of);
      };
      expect(await results()).toHaveLength(3);
      const laterMs = NOON + 100 * STUB_MS;
      await sweepBatches(platform, scope.tenantId, laterMs);
      await sweepBatches(platform, scope.tenantId, laterMs);
      expect(await results()).toEqual([standing.id]);
      await upsertLedger(scope, [{ ...ledgerEntry(batch.agentId), usage: [], batchId: batch.id }]);
      expect(await results()).toHaveLength(2);
      await sweepBatches(platform, scope.tenantId, laterMs);
      expect(await results()).toEqual([standing.id]);
    });

    it("what is counted at its end stays, and is settled once", async () => {
      const { scope } = await newTenant(open());
      const batch = await newBatch(scope, 2);
      await handed(scope, batch, ["succeeded", "succeeded"]);
      expect(await settleBatch(scope, batch.id, NOON)).toBe(true);
      expect(await settleBatch(scope, batch.id, NOON + 1)).toBe(true);
      expect(await getBatch(scope, batch.id, NOON)).toMatchObject({
        status: "completed",
        done: 2,
        eta: null,
      });
      expect(await refusal(cancelBatch(scope, batch.id, NOON))).toBe("conflict");
    });

    it("K5: what was handed over while a cancel came is still written down", async () => {
      const { scope } = await newTenant(open());
      const { id } = await newBatch(scope, 3);
      const { chunk } = (await chunkToHandOver(scope, id, 0)) ?? missing("a chunk");
      await cancelBatch(scope, id, NOON);
      expect(await chunkToHandOver(scope, id, 0)).toBeUndefined();
      expect(await putOutcomes(scope, chunk, [newId("invocation", NOON), null, null], NOON)).toBe(
        true,
      );
      const { counts } = await getBatch(scope, id, NOON);
      expect(counts).toMatchObject({ waiting: 0, open: 1, cancelled: 2 });
      expect((await listChunks(scope, id, 0, 1))[0]?.dueAtMs).toBeNull();
    });

    it("of two that hand over one chunk, the later one to write writes nothing", async () => {
      const { scope } = await newTenant(open());
      const { id } = await newBatch(scope, 1);
      const { chunk } = (await chunkToHandOver(scope, id, 0)) ?? missing("a chunk");
      expect(await putOutcomes(scope, chunk, ["inv_a"], null)).toBe(true);
      expect(await putOutcomes(scope, chunk, [null], NOON)).toBe(false);
      expect((await listChunks(scope, id, 0, 1))[0]?.outcomes).toEqual(["inv_a"]);
    });

    it("cron takes what is due once, and looks at open batches in turn", async () => {
      const platform = open();
      const { scope } = await newTenant(platform);
      const { id } = await newBatch(scope, 1);
      const mine = (found: readonly { readonly batchId: string }[]) =>
        found.filter(({ batchId }) => batchId === id).length;
      expect(mine(await dueChunks(platform, NOON, 1000))).toBe(0);
      expect(mine(await dueChunks(platform, NOON + 60_000, 1000))).toBe(1);
      expect(mine(await dueChunks(platform, NOON + 60_000, 1000))).toBe(0);
      expect(mine(await openBatches(platform, NOON, NOON + 9, 1000))).toBe(1);
      expect(mine(await openBatches(platform, NOON, NOON + 9, 1000))).toBe(0);
    });

    it("G7: another tenant's batch is no batch", async () => {
      const platform = open();
      const { scope } = await newTenant(platform);
      const { scope: other } = await newTenant(platform);
      const { id } = await newBatch(scope, 1);
      expect(await refusal(getBatch(other, id, NOON))).toBe("not_found");
      expect(await refusal(cancelBatch(other, id, NOON))).toBe("not_found");
      expect(await chunkToHandOver(other, id, 0)).toBeUndefined();
      const all = { limit: 25 };
      expect((await listBatches(other, all, NOON)).data).toEqual([]);
      expect((await listBatches(scope, all, NOON)).data.map((it) => it.id)).toEqual([id]);
    });
  });
}
