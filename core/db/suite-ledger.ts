import { describe, expect, it } from "vitest";
import { newId } from "../ids.ts";
import { listInvocations, upsertLedger } from "../invocations/store.ts";
import type { LedgerEntry } from "../usage/contract.ts";
import { listUsage, usageTotals } from "../usage/store.ts";
import { FIRST_PAGE, NOON, newAgent, newTenant, type Open, refusal } from "./suite-world.ts";
import { encodeCursor } from "../page.ts";

const DAY_MS = 86_400_000;

type Part = Partial<LedgerEntry["invocation"]> & {
  readonly calls?: number;
  readonly atMs?: number;
};

/** A finished invocation with `calls` model calls of 10 and 5 tokens and 7 micro-USD each. */
export function ledgerEntry(agentId: string, part: Part = {}): LedgerEntry {
  const { calls = 1, atMs = NOON, ...over } = part;
  const id = over.id ?? newId("invocation", atMs);
  const usage = Array.from({ length: calls }, (_, i) => ({
    id: `${id}/model.0#${i}`,
    step: `model.0#${i}`,
    model: i % 2 === 0 ? "openai/gpt-x" : "local/extract",
    inputTokens: 10,
    outputTokens: 5,
    estimated: i % 2 === 1,
    costMicros: 7,
    atMs,
  }));
  const at = new Date(atMs).toISOString();
  const invocation = {
    id,
    agent: "support",
    version: 1,
    environment: "prod",
    session_id: newId("session", atMs),
    status: "succeeded" as const,
    error: null,
    usage: { input_tokens: 10, output_tokens: 5, model_calls: 1, tool_calls: 0, estimated: false },
    cost_micros: 7 * calls,
    cost_usd: "0.000007",
    attempts: 1,
    redriven_from: null,
    created_at: at,
    completed_at: at,
    ...over,
  };
  return { invocation, agentId, principal: "key_1", usage };
}

export function ledgerCases(open: Open): void {
  describe("the ledger", () => {
    it("takes a page of a hundred in one batch, and again without a change", async () => {
      const { scope } = await newTenant(open());
      const agentId = newId("agent", NOON);
      const entries = Array.from({ length: 100 }, (_, i) =>
        ledgerEntry(agentId, { calls: 3, atMs: NOON + i }),
      );
      await upsertLedger(scope, entries);
      await upsertLedger(scope, entries);
      await upsertLedger(scope, [...entries.slice(0, 3), ...entries.slice(0, 3)]);
      await upsertLedger(scope, []);
      const [total] = await usageTotals(scope, { by: "agent" });
      expect(total).toEqual({
        key: agentId,
        invocations: 100,
        model_calls: 300,
        input_tokens: 3000,
        output_tokens: 1500,
        cost_micros: 2100,
        cost_usd: "0.002100",
      });
      const page = await listInvocations(scope, { limit: 100 });
      expect(page.data.map(({ id }) => id)).toEqual(
        entries.map(({ invocation }) => invocation.id).toReversed(),
      );
      expect(page.next_cursor).toBeNull();
    });

    it("never rewrites what is terminal, and completes what was not", async () => {
      const { scope } = await newTenant(open());
      const agentId = newId("agent", NOON);
      const open1 = ledgerEntry(agentId, { status: "running", completed_at: null, calls: 0 });
      const { id } = open1.invocation;
      await upsertLedger(scope, [open1]);
      const error = { code: "model_failed", detail: "no answer" };
      await upsertLedger(scope, [ledgerEntry(agentId, { id, status: "failed", error })]);
      await upsertLedger(scope, [ledgerEntry(agentId, { id, status: "succeeded" })]);
      const { data } = await listInvocations(scope, FIRST_PAGE);
      expect(data).toMatchObject([{ id, status: "failed", error }]);
    });

    it("F204: 25 invocations in pages of ten: 10, 10, 5, newest first", async () => {
      const { scope } = await newTenant(open());
      const agentId = newId("agent", NOON);
      const entries = Array.from({ length: 25 }, (_, i) =>
        ledgerEntry(agentId, { atMs: NOON + i }),
      );
      await upsertLedger(scope, entries);
      const pages: string[][] = [];
      let cursor: string | undefined;
      do {
        const page = await listInvocations(scope, { limit: 10, ...(cursor && { cursor }) });
        pages.push(page.data.map(({ id }) => id));
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
      expect(pages.map(({ length }) => length)).toEqual([10, 10, 5]);
      expect(pages.flat()).toEqual(entries.map((one) => one.invocation.id).toReversed());
    });

    it("filters by agent, status, session and time", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      const old = ledgerEntry(agent.id, { atMs: NOON - DAY_MS, status: "failed" });
      const recent = ledgerEntry(agent.id);
      const other = ledgerEntry(newId("agent", NOON), { agent: "other" });
      await upsertLedger(scope, [old, recent, other]);
      const ids = async (filter: object) =>
        (await listInvocations(scope, { limit: 25, ...filter })).data.map(({ id }) => id);
      const id = ({ invocation }: LedgerEntry) => invocation.id;
      expect(await ids({ agent: "support" })).toEqual([id(recent), id(old)]);
      expect(await ids({ agent: agent.id, status: "failed" })).toEqual([id(old)]);
      expect(await ids({ session: other.invocation.session_id })).toEqual([id(other)]);
      expect(await ids({ agent: agent.id, since: "2026-11-20T00:00:00Z" })).toEqual([id(recent)]);
      expect(await ids({ agent: "nobody" })).toEqual([]);
    });

    it("sums usage by day and by model within days", async () => {
      const { scope } = await newTenant(open());
      const agentId = newId("agent", NOON);
      await upsertLedger(scope, [
        ledgerEntry(agentId, { atMs: NOON - DAY_MS, calls: 2 }),
        ledgerEntry(agentId, { calls: 1 }),
      ]);
      const days = await usageTotals(scope, { by: "day" });
      expect(days.map(({ key, cost_micros }) => [key, cost_micros])).toEqual([
        ["2026-11-19", 14],
        ["2026-11-20", 7],
      ]);
      const models = await usageTotals(scope, { by: "model", until: "2026-11-19" });
      expect(models.map(({ key, model_calls }) => [key, model_calls])).toEqual([
        ["local/extract", 1],
        ["openai/gpt-x", 1],
      ]);
      expect(await usageTotals(scope, { by: "day", since: "2026-12-01" })).toEqual([]);
    });

    it("lists calls page by page, each once", async () => {
      const { scope } = await newTenant(open());
      const agentId = newId("agent", NOON);
      await upsertLedger(
        scope,
        [0, 1, 2].map((i) => ledgerEntry(agentId, { calls: 3, atMs: NOON + i })),
      );
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await listUsage(scope, { limit: 2, ...(cursor && { cursor }) });
        seen.push(...page.data.map((call) => `${call.invocation_id}/${call.step}`));
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
      expect(seen).toHaveLength(9);
      expect(new Set(seen).size).toBe(9);
      const forged = listUsage(scope, { limit: 2, cursor: encodeCursor('["inv_x","y"]') });
      expect(await refusal(forged)).toBe("bad_request");
    });

    it("F5, F13: one tenant's ledger is not another's, also under the same ids", async () => {
      const acme = (await newTenant(open())).scope;
      const globex = (await newTenant(open())).scope;
      const agentId = newId("agent", NOON);
      const same = ledgerEntry(agentId, { calls: 2 });
      await upsertLedger(acme, [same]);
      expect((await listInvocations(globex, FIRST_PAGE)).data).toEqual([]);
      expect((await listUsage(globex, FIRST_PAGE)).data).toEqual([]);
      const { id } = same.invocation;
      await upsertLedger(globex, [ledgerEntry(agentId, { id, calls: 1, status: "failed" })]);
      expect((await listInvocations(acme, FIRST_PAGE)).data).toMatchObject([
        { status: "succeeded" },
      ]);
      expect((await listUsage(acme, FIRST_PAGE)).data).toHaveLength(2);
    });
  });
}
