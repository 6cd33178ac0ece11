import { describe, expect, it } from "vitest";
import type { ApprovalEntry } from "../approvals/contract.ts";
import { listApprovals, upsertApprovals } from "../approvals/store.ts";
import { rfc3339 } from "../clock.ts";
import { FIRINGS_KEPT_MS, type NewFiring } from "../firings/contract.ts";
import { makersOf } from "../firings/store-makers.ts";
import {
  deleteOldFirings,
  firingInsert,
  listFirings,
  settleFiring,
  waitingFirings,
} from "../firings/store.ts";
import { insertRows } from "./bulk.ts";
import { newId } from "../ids.ts";
import { CreateSchedule, RULES_MOST } from "../schedules/contract.ts";
import {
  advanceSchedule,
  createSchedule,
  deleteSchedule,
  dueSchedules,
  getSchedule,
  listSchedules,
  patchSchedule,
} from "../schedules/store.ts";
import { schedule } from "../schedules/table.ts";
import { CreateTrigger } from "../triggers/contract.ts";
import {
  createTrigger,
  deleteTrigger,
  findTriggers,
  getTrigger,
  listTriggers,
  patchTrigger,
  triggersOn,
} from "../triggers/store.ts";
import { NOON, newAgent, newTenant, type Open, race, refusal } from "./suite-world.ts";

const HOUR_MS = 3_600_000;
const PAGE = { limit: 100 };

const hourly = (agent: string) =>
  CreateSchedule.parse({ name: "Report", agent, cron: "30 * * * *", input: "report" });

export function approvalEntry(agentId: string, more: Partial<ApprovalEntry> = {}): ApprovalEntry {
  return {
    id: newId("approval", NOON, "abcdef"),
    agentId,
    invocation_id: newId("invocation", NOON, "abcdef"),
    agent: "payer",
    environment: "prod",
    kind: "tool",
    name: "transfer",
    status: "pending",
    created_at: rfc3339(NOON),
    expires_at: rfc3339(NOON + HOUR_MS),
    decided_at: null,
    owed: 1,
    ...more,
  };
}

export function waitingCases(open: Open): void {
  describe("the listing of approvals", () => {
    it("K9: told twice is listed once, and what was decided is not told back", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      const pending = approvalEntry(agent.id);
      const decided = { ...pending, status: "approved", decided_at: rfc3339(NOON + 1) } as const;
      await upsertApprovals(scope, [pending, pending]);
      await upsertApprovals(scope, [decided]);
      await upsertApprovals(scope, [pending]);
      const { data } = await listApprovals(scope, { ...PAGE, agent: agent.id });
      expect(data).toMatchObject([{ id: pending.id, status: "approved" }]);
      expect((await listApprovals(scope, { ...PAGE, status: "pending" })).data).toEqual([]);
      const other = (await newTenant(open())).scope;
      expect((await listApprovals(other, PAGE)).data).toEqual([]);
    });
  });

  describe("schedules", () => {
    it("F77: are due at their next occurrence, and moved on once with what came of it", async () => {
      const platform = open();
      const { scope } = await newTenant(platform);
      const { agent } = await newAgent(scope);
      const made = await createSchedule(scope, agent.id, hourly(agent.id), NOON);
      const dueMs = Date.parse(made.next_run_at ?? "");
      const mine = async (nowMs: number) =>
        (await dueSchedules(platform, nowMs, 1000)).filter(({ id }) => id === made.id);
      expect(await mine(dueMs - 1)).toEqual([]);
      const [row] = await mine(dueMs);
      if (row === undefined) throw new Error("it is not due");
      const fired: NewFiring = {
        sourceId: made.id,
        occurrence: rfc3339(dueMs),
        outcome: "started",
        invocationId: "inv_x",
        code: null,
      };
      const next = { firings: [fired], nextMs: dueMs + HOUR_MS, lastMs: dueMs };
      await Promise.all([1, 2].map(() => advanceSchedule(scope, row, next, dueMs)));
      expect(await mine(dueMs)).toEqual([]);
      expect((await listFirings(scope, made.id, PAGE)).data).toMatchObject([
        { occurrence: rfc3339(dueMs), outcome: "started", invocation_id: "inv_x" },
      ]);
      expect(await makersOf(scope, made.id)).toEqual([made.created_by]);
    });

    it("a tenant has so many and no more, at once or one by one", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      const made = await createSchedule(scope, agent.id, hourly(agent.id), NOON);
      const row = await getSchedule(scope, made.id);
      const rest = Array.from({ length: RULES_MOST - 2 }, () => ({
        ...row,
        id: newId("schedule", NOON),
      }));
      await insertRows(scope, schedule, rest);
      const more = [1, 2].map(() => createSchedule(scope, agent.id, hourly(agent.id), NOON));
      const { won } = await race(more);
      expect(won).toBe(1);
    });

    it("a pause ends what is due; changed at a stale revision they stay as they are", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      const made = await createSchedule(scope, agent.id, hourly(agent.id), NOON);
      const paused = await patchSchedule(scope, made.id, 1, { paused: true }, NOON);
      expect(paused).toMatchObject({ paused: true, next_run_at: null, revision: 2 });
      const stale = patchSchedule(scope, made.id, 1, { name: "Other" }, NOON);
      expect(await refusal(stale)).toBe("version_conflict");
      const later = NOON + 10 * HOUR_MS;
      const goes = await patchSchedule(scope, made.id, 2, { paused: false }, later);
      expect(Date.parse(goes.next_run_at ?? "")).toBeGreaterThan(later);
      const other = (await newTenant(open())).scope;
      expect(await refusal(getSchedule(other, made.id))).toBe("not_found");
      expect((await listSchedules(other, PAGE)).data).toEqual([]);
      await deleteSchedule(scope, made.id, 3, NOON);
      expect(await refusal(getSchedule(scope, made.id))).toBe("not_found");
    });
  });

  describe("triggers", () => {
    it("F77: are found by the agents whose ends they wait for, unless they are paused", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      const ends = { agentId: agent.id, targetId: agent.id };
      const wanted = CreateTrigger.parse({ name: "Then", agent: agent.id, target: agent.id });
      const made = await createTrigger(scope, ends, wanted, NOON);
      expect(await triggersOn(scope, [agent.id])).toMatchObject([{ id: made.id }]);
      const other = (await newTenant(open())).scope;
      expect(await triggersOn(other, [agent.id])).toEqual([]);
      expect(await refusal(getTrigger(other, made.id))).toBe("not_found");
      await patchTrigger(scope, made.id, 1, { paused: true, statuses: ["dead"] }, NOON);
      expect(await triggersOn(scope, [agent.id])).toEqual([]);
      expect(await findTriggers(scope, [made.id])).toEqual([]);
      expect((await listTriggers(scope, PAGE)).data).toMatchObject([{ statuses: ["dead"] }]);
      const stale = deleteTrigger(scope, made.id, 1, NOON);
      expect(await refusal(stale)).toBe("version_conflict");
      await deleteTrigger(scope, made.id, 2, NOON);
      expect(await refusal(getTrigger(scope, made.id))).toBe("not_found");
    });
  });

  describe("firings", () => {
    it("F77: one for one occurrence; one put off is settled once; old ones go", async () => {
      const platform = open();
      const { scope } = await newTenant(platform);
      const sourceId = newId("schedule", NOON);
      const fact = { sourceId, occurrence: "inv_1", invocationId: null };
      const waits: NewFiring = { ...fact, outcome: "waiting", code: "overloaded" };
      const both = [waits, { ...waits, occurrence: "inv_2" }];
      await Promise.all([1, 2, 3].map(async () => firingInsert(scope, both, NOON)));
      const waiting = (await waitingFirings(platform, NOON - 1, 1000)).filter(
        (it) => it.sourceId === sourceId,
      );
      expect(waiting.map(({ occurrence }) => occurrence).toSorted()).toEqual(["inv_1", "inv_2"]);
      const [one] = waiting;
      const started = { outcome: "started", invocationId: "inv_9", code: null } as const;
      await settleFiring(scope, one?.id ?? "", started);
      await settleFiring(scope, one?.id ?? "", { ...started, invocationId: "inv_8" });
      const { data } = await listFirings(scope, sourceId, PAGE);
      expect(data.find(({ id }) => id === one?.id)).toMatchObject({ invocation_id: "inv_9" });
      await deleteOldFirings(platform, NOON + FIRINGS_KEPT_MS + 1);
      expect((await listFirings(scope, sourceId, PAGE)).data).toEqual([]);
    });
  });
}
