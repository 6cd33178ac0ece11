import { describe, expect, it } from "vitest";
import {
  cancelRedrive,
  countLetters,
  createRedrive,
  getRedrive,
  nextLetters,
  takeRedrives,
  tellRedrive,
} from "../dead-letters/store-redrives.ts";
import {
  deadLetterCauses,
  getDeadLetter,
  listDeadLetters,
  settleLetter,
  takeLetter,
} from "../dead-letters/store.ts";
import { newId } from "../ids.ts";
import { upsertLedger } from "../invocations/store.ts";
import type { TenantScope } from "./scope.ts";
import { ledgerEntry } from "./suite-ledger.ts";
import { FIRST_PAGE, NOON, newAgent, newTenant, type Open, refusal } from "./suite-world.ts";

const MINUTE_MS = 60_000;
const DOWN = { code: "model_failed", detail: "no answer" };

/** `count` letters of an agent, the first the oldest; their ids. */
async function letters(
  scope: TenantScope,
  agentId: string,
  count: number,
  over: object = {},
): Promise<readonly string[]> {
  const made = Array.from({ length: count }, (_, i) =>
    ledgerEntry(agentId, { status: "dead", error: DOWN, atMs: NOON + i, ...over }),
  );
  await upsertLedger(scope, made);
  return made.map(({ invocation }) => invocation.id);
}

const WISH = { per_minute: 2, fresh: false, agentId: undefined, principal: "key_1" };

export function deadLetterCases(open: Open): void {
  describe("dead letters", () => {
    it("F99: what ended without an answer is one, once, and what succeeded is none", async () => {
      const { scope } = await newTenant(open());
      const agentId = newId("agent", NOON);
      const dead = ledgerEntry(agentId, { status: "dead", error: DOWN });
      const failed = ledgerEntry(agentId, {
        status: "failed",
        error: { code: "step_limit", detail: "" },
      });
      await upsertLedger(scope, [
        dead,
        failed,
        ledgerEntry(agentId),
        ledgerEntry(agentId, { status: "cancelled" }),
      ]);
      await upsertLedger(scope, [dead]);
      const { data } = await listDeadLetters(scope, FIRST_PAGE);
      expect(data.map(({ id }) => id).toSorted()).toEqual(
        [dead.invocation.id, failed.invocation.id].toSorted(),
      );
      expect(await getDeadLetter(scope, dead.invocation.id)).toMatchObject({
        status: "dead",
        cause: "model_failed",
        detail: "no answer",
        state: "open",
        redriven_to: null,
      });
      const other = (await newTenant(open())).scope;
      expect(await refusal(getDeadLetter(other, dead.invocation.id))).toBe("not_found");
      expect((await listDeadLetters(other, FIRST_PAGE)).data).toEqual([]);
    });

    it("F99: the open ones are grouped by cause, most letters first", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      await letters(scope, agent.id, 2);
      const [gone = ""] = await letters(scope, agent.id, 1, {
        error: { code: "timeout", detail: "" },
      });
      await letters(scope, agent.id, 3, { environment: "dev" });
      const causes = await deadLetterCauses(scope, { agent: "support" });
      expect(causes.map(({ cause, environment, count }) => [cause, environment, count])).toEqual([
        ["model_failed", "dev", 3],
        ["model_failed", "prod", 2],
        ["timeout", "prod", 1],
      ]);
      expect(causes[0]).toMatchObject({ agent: "support", agent_id: agent.id, status: "dead" });
      await takeLetter(scope, gone, NOON);
      await settleLetter(scope, gone, { ok: true, to: "inv_next" });
      expect(await deadLetterCauses(scope, { agent: "support" })).toHaveLength(2);
      const { data } = await listDeadLetters(scope, {
        limit: 25,
        cause: "timeout",
        state: "redriven",
      });
      expect(data).toMatchObject([{ id: gone, redriven_to: "inv_next" }]);
    });

    it("L1, L2: one hands a letter on at a time, and whoever died over it for a minute at most", async () => {
      const { scope } = await newTenant(open());
      const [id = ""] = await letters(scope, newId("agent", NOON), 1);
      await takeLetter(scope, id, NOON);
      expect(await refusal(takeLetter(scope, id, NOON + 1000))).toBe("conflict");
      await takeLetter(scope, id, NOON + MINUTE_MS + 1);
      await settleLetter(scope, id, {
        ok: false,
        code: "journal_mismatch",
        detail: "at model.0#0",
      });
      expect(await getDeadLetter(scope, id)).toMatchObject({
        state: "open",
        refused: { code: "journal_mismatch", detail: "at model.0#0" },
      });
      await takeLetter(scope, id, NOON + 2 * MINUTE_MS);
      await settleLetter(scope, id, { ok: true, to: "inv_next" });
      expect(await refusal(takeLetter(scope, id, NOON + 9 * MINUTE_MS))).toBe("conflict");
      expect(await refusal(takeLetter(scope, newId("invocation", NOON), NOON))).toBe("not_found");
    });

    it("F99: the ledger settles a letter whose redriver died before he could", async () => {
      const { scope } = await newTenant(open());
      const agentId = newId("agent", NOON);
      const [id = ""] = await letters(scope, agentId, 1);
      await takeLetter(scope, id, NOON);
      const next = ledgerEntry(agentId, { redriven_from: id });
      await upsertLedger(scope, [next]);
      expect(await getDeadLetter(scope, id)).toMatchObject({
        state: "redriven",
        redriven_to: next.invocation.id,
      });
    });

    it("B1-B3: a bulk re-drive counts its minute before it hands on, and passes none over", async () => {
      const platform = open();
      const { scope } = await newTenant(platform);
      const agentId = newId("agent", NOON);
      const ids = await letters(scope, agentId, 5);
      const made = await createRedrive(scope, { ...WISH, agentId }, NOON + MINUTE_MS);
      expect(made).toMatchObject({ status: "running", total: 5, redriven: 0 });
      await letters(scope, agentId, 1, { atMs: NOON + 2 * MINUTE_MS }); // came after it was asked for
      const mine = async (nowMs: number) =>
        (await takeRedrives(platform, nowMs, 50)).find((row) => row.id === made.id);
      const row = await mine(NOON + 3 * MINUTE_MS);
      if (row === undefined) throw new Error("not taken");
      expect(await mine(NOON + 3 * MINUTE_MS + 1000)).toBeUndefined();
      const first = await nextLetters(scope, row, NOON + 3 * MINUTE_MS, 10);
      expect(first).toEqual(ids.slice(0, 2));
      const counted = await countLetters(scope, row, 2, NOON + 3 * MINUTE_MS);
      // Here whoever was at it dies. Another one, in the same minute, has none left.
      expect(await mine(NOON + 3 * MINUTE_MS + 55_000)).toBeUndefined();
      const later = await mine(NOON + 4 * MINUTE_MS);
      if (later === undefined || counted === undefined) throw new Error("not taken");
      expect(await nextLetters(scope, later, NOON + 4 * MINUTE_MS, 10)).toEqual(ids.slice(0, 2));
      expect(await countLetters(scope, counted, 2, NOON + 4 * MINUTE_MS)).toBeUndefined();
      const told = { redriven: 1, refused: 1, position: ids[1], end: "later" } as const;
      await tellRedrive(scope, later, told, NOON + 4 * MINUTE_MS);
      const last = await mine(NOON + 5 * MINUTE_MS);
      if (last === undefined) throw new Error("not taken");
      expect(await nextLetters(scope, last, NOON + 5 * MINUTE_MS, 10)).toEqual(ids.slice(2, 4));
      await takeLetter(scope, ids[2] ?? "", NOON + 5 * MINUTE_MS);
      expect(await nextLetters(scope, last, NOON + 5 * MINUTE_MS, 10)).toBe("later");
    });

    it("F99: a bulk re-drive is cancelled once, and is not another tenant's", async () => {
      const { scope } = await newTenant(open());
      const other = (await newTenant(open())).scope;
      const { id } = await createRedrive(scope, WISH, NOON);
      expect(await refusal(getRedrive(other, id, NOON))).toBe("not_found");
      expect(await refusal(cancelRedrive(other, id, NOON))).toBe("not_found");
      expect(await cancelRedrive(scope, id, NOON + 1)).toMatchObject({
        status: "cancelled",
        eta: null,
      });
      expect(await refusal(cancelRedrive(scope, id, NOON + 2))).toBe("conflict");
    });
  });
}
