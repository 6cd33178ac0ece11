import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { audit } from "../audit/table.ts";
import { createBudget, deleteBudget, getBudget, patchBudget } from "../budgets/store.ts";
import { agentEnvironment } from "../deployments/table.ts";
import { rulesFor } from "../limits/store-rules.ts";
import { createLimit, deleteLimit, getLimit, listLimits, patchLimit } from "../limits/store.ts";
import { createStop, deleteStop, listStops, stopReached, unreachedStops } from "../stops/store.ts";
import type { TenantScope } from "./scope.ts";
import { NOON, newAgent, newTenant, type Open, race, refusal } from "./suite-world.ts";

const MONEY = { amount_micros: 5, when_exhausted: "fail" as const, warn_at_percent: [80] };

/** Limits, budgets and stops: who sets them, and whom they are carried to. */
export function moneyCases(open: Open): void {
  const actions = async (scope: TenantScope) =>
    (await scope.db.select().from(audit).where(eq(audit.tenantId, scope.tenantId)))
      .map(({ action }) => action)
      .filter((action) => /^(?:limit|budget|stop)\./.test(action))
      .toSorted();

  describe("limits, budgets and stops", () => {
    it("F175: are about something that the tenant has, and once about the same", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      const wish = { level: "agent", subject: agent.slug, per: "day", limit: 3 } as const;
      const limit = await createLimit(scope, wish, NOON);
      expect(limit).toMatchObject({ subject: agent.id, limit: 3, revision: 1 });
      expect(await refusal(createLimit(scope, wish, NOON))).toBe("already_exists");
      const other = { ...wish, subject: "agt_00000000000000000000000000" };
      expect(await refusal(createLimit(scope, other, NOON))).toBe("invalid");
      expect(await listLimits(scope, { limit: 10 })).toMatchObject({ data: [{ id: limit.id }] });
    });

    it("F175: of racing changes one wins, and each leaves its entry", async () => {
      const { scope } = await newTenant(open());
      const { id } = await createLimit(scope, { level: "tenant", per: "day", limit: 1 }, NOON);
      const changes = [2, 3].map((limit) => patchLimit(scope, id, 1, { limit }, NOON));
      expect(await race(changes)).toEqual({ won: 1, refused: ["version_conflict"] });
      expect((await getLimit(scope, id)).revision).toBe(2);
      await deleteLimit(scope, id, 2, NOON);
      expect(await refusal(getLimit(scope, id))).toBe("not_found");
      expect(await actions(scope)).toEqual(["limit.changed", "limit.created", "limit.deleted"]);
    });

    it("F176: a budget is changed and removed, and what is live hears of each", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      await scope.db.insert(agentEnvironment).values({
        tenantId: scope.tenantId,
        agentId: agent.id,
        environment: "prod",
        generation: 4,
        allocated: 4,
        sequence: 1,
        replicas: 1,
        lastChangeId: "aud_x",
        updatedAtMs: NOON,
      });
      const generation = async () =>
        (
          await scope.db
            .select()
            .from(agentEnvironment)
            .where(eq(agentEnvironment.agentId, agent.id))
        )[0]?.generation;
      const wish = { level: "user", subject: "*", period: "month", ...MONEY } as const;
      const { id } = await createBudget(scope, wish, NOON);
      expect(await generation()).toBe(5);
      await patchBudget(scope, id, 1, { amount_micros: 9 }, NOON);
      expect(await getBudget(scope, id)).toMatchObject({
        amount_micros: 9,
        amount_usd: "0.000009",
      });
      await deleteBudget(scope, id, 2, NOON);
      expect(await generation()).toBe(7);
      expect(await refusal(deleteBudget(scope, id, 2, NOON))).toBe("not_found");
      expect(await generation()).toBe(7);
    });

    it("K5: go to the agents they can concern, and to no other tenant's", async () => {
      const { scope } = await newTenant(open());
      const other = await newTenant(open());
      const { agent } = await newAgent(scope);
      const carried = () => rulesFor(scope, agent.id, agent.project_id);
      expect(await carried()).toBeUndefined();
      await createLimit(scope, { level: "tenant", per: "minute", limit: 1 }, NOON);
      const elsewhere = { level: "agent", subject: "*", period: "day", ...MONEY } as const;
      await createBudget(other.scope, elsewhere, NOON);
      await createBudget(scope, { ...elsewhere, level: "project" }, NOON);
      await createStop(scope, { level: "user", subject: "mallory", reason: "Fraud." }, NOON);
      expect(await carried()).toMatchObject({
        limits: [{ level: "tenant", subject: null, limit: 1 }],
        budgets: [{ level: "project", subject: "*", amountMicros: 5, warnAtPct: [80] }],
        stops: [{ subject: "mallory" }],
      });
    });

    it("K5: a stop is owed to the objects until all were reached", async () => {
      const { scope } = await newTenant(open());
      const wish = { level: "tenant", reason: "Runaway." } as const;
      const { id } = await createStop(scope, wish, NOON);
      const owed = async () => (await unreachedStops(open(), 1000)).map((stop) => stop.id);
      expect(await owed()).toContain(id);
      await stopReached(scope, id, NOON);
      expect(await owed()).not.toContain(id);
      await deleteStop(scope, id, NOON);
      expect(await listStops(scope, { limit: 10 })).toMatchObject({ data: [] });
      expect(await refusal(deleteStop(scope, id, NOON))).toBe("not_found");
      expect(await actions(scope)).toEqual(["stop.lifted", "stop.thrown"]);
    });
  });
}
