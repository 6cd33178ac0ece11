/** What a tenant says of its content, and what cron takes of the listing for it. */
import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { KEPT_FOR_EVER } from "../content/contract.ts";
import { getContentPolicy, patchContentPolicy, releaseContent } from "../content/store.ts";
import { sweepContent } from "../content/store-sweep.ts";
import { contentPolicy } from "../content/table.ts";
import { agentEnvironment } from "../deployments/table.ts";
import { invocation } from "../invocations/table.ts";
import { upsertLedger } from "../invocations/store.ts";
import { usageRecord } from "../usage/table.ts";
import type { TenantScope } from "./scope.ts";
import { furnishedTenant } from "./suite-furnished.ts";
import { ledgerEntry } from "./suite-ledger.ts";
import { NOON, type Open, newTenant, race, refusal } from "./suite-world.ts";

const DAY_MS = 86_400_000;
const seal = async () => "v2.k.n.s";
const keep = (scope: TenantScope, revision: number, retention: object) =>
  patchContentPolicy(scope, revision, { retention }, seal, NOON);

export function contentCases(open: Open): void {
  describe("content", () => {
    it("F103: is kept for ever until the tenant says otherwise, at its revision", async () => {
      const { scope } = await newTenant(open());
      expect(await releaseContent(scope)).toBeUndefined();
      expect(await getContentPolicy(scope)).toMatchObject({
        retention: KEPT_FOR_EVER,
        revision: 1,
      });
      const said = await keep(scope, 1, { requests_days: 0, events_days: 7 });
      expect(said).toMatchObject({
        revision: 2,
        retention: { requests_days: 0, usage_days: null },
      });
      expect(await refusal(keep(scope, 1, { usage_days: 1 }))).toBe("version_conflict");
      expect(await keep(scope, 2, { requests_days: null })).toMatchObject({
        retention: { requests_days: null, events_days: 7 },
      });
      expect(await releaseContent(scope)).toEqual({
        retention: { requestsMs: null, eventsMs: 7 * DAY_MS, journalsMs: null },
        seals: false,
        key: null,
      });
    });

    it("F103: of racing changes one wins, the first of all included", async () => {
      const { scope } = await newTenant(open());
      const first = await race([1, 2, 3].map((days) => keep(scope, 1, { requests_days: days })));
      expect(first.won).toBe(1);
      const second = await race([1, 2, 3].map((days) => keep(scope, 2, { requests_days: days })));
      expect(second.won).toBe(1);
      expect((await getContentPolicy(scope)).revision).toBe(3);
    });

    it("F104: has one key, made when sealing is first switched on and kept ever after", async () => {
      const { scope } = await newTenant(open());
      let made = 0;
      const counting = async () => `v2.k.n.${(made += 1)}`;
      const patch = (revision: number, sealing: boolean) =>
        patchContentPolicy(scope, revision, { sealing }, counting, NOON);
      await patch(1, true);
      await patch(2, false);
      expect(await releaseContent(scope)).toMatchObject({ seals: false, key: "v2.k.n.1" });
      await patch(3, true);
      expect(await releaseContent(scope)).toMatchObject({ seals: true, key: "v2.k.n.1" });
    });

    it("F103: a change gives what is live another generation, a refused one does not", async () => {
      const { scope } = await furnishedTenant(open());
      const generation = async () => {
        const [row] = await scope.db
          .select({ generation: agentEnvironment.generation })
          .from(agentEnvironment)
          .where(eq(agentEnvironment.tenantId, scope.tenantId));
        return row?.generation ?? 0;
      };
      const before = await generation();
      expect(await refusal(keep(scope, 1, { requests_days: 1 }))).toBe("version_conflict");
      expect(await generation()).toBe(before);
      const { revision } = await getContentPolicy(scope);
      await keep(scope, revision, { requests_days: 1 });
      expect(await generation()).toBeGreaterThan(before);
    });

    it("F103: lines and records go in their time, and only those of who wants it", async () => {
      const platform = open();
      const [mine, theirs] = [await newTenant(platform), await newTenant(platform)];
      for (const { scope } of [mine, theirs]) await upsertLedger(scope, [ledgerEntry("agt_x")]);
      await keep(mine.scope, 1, { requests_days: 1, usage_days: 20 });
      const left = async ({ scope: { db, tenantId } }: typeof mine) => [
        (await db.select().from(invocation).where(eq(invocation.tenantId, tenantId))).length,
        (await db.select().from(usageRecord).where(eq(usageRecord.tenantId, tenantId))).length,
      ];
      const [lines, records] = await left(mine);
      const sweepAt = async (days: number) => {
        const untouched = { sweptAtMs: 0 };
        const { db, tenantId } = mine.scope;
        await db.update(contentPolicy).set(untouched).where(eq(contentPolicy.tenantId, tenantId));
        await sweepContent(platform, NOON + days * DAY_MS, 1000);
      };
      await sweepAt(7);
      expect(await left(mine)).toEqual([lines, records]);
      await sweepAt(9);
      expect(await left(mine)).toEqual([0, records]);
      await sweepAt(21);
      expect(await left(mine)).toEqual([0, 0]);
      expect(await left(theirs)).toEqual([lines, records]);
    });
  });
}
