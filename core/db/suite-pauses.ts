import { describe, expect, it } from "vitest";
import { getAgent } from "../agents/store.ts";
import { setPaused } from "../agents/store-pause.ts";
import { listAudit } from "../audit/store.ts";
import { createDeployment } from "../deployments/store.ts";
import { beginBuilding } from "../deployments/store-builds.ts";
import { findLiveAgent } from "../deployments/store-live.ts";
import { finishLive } from "../deployments/store-pointer.ts";
import { buildRelease, loadRelease } from "../releases/store.ts";
import { NOON, newAgent, newTenant, missing, type Open, refusal } from "./suite-world.ts";

const noPrice = () => undefined;

export function pauseCases(open: Open): void {
  describe("pausing an agent", () => {
    async function live() {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      const wanted = { version: 1, environment: "prod" };
      const { deployment } = await createDeployment(scope, agent.id, wanted, NOON);
      const build = (await beginBuilding(scope, deployment.id, NOON)) ?? missing("a build");
      await buildRelease(scope, build, 0, noPrice, NOON);
      await finishLive(scope, build, NOON);
      return { scope, id: agent.id };
    }

    it("F93: is a new generation of what is live, and back again another", async () => {
      const { scope, id } = await live();
      expect((await loadRelease(scope, id, "prod", 0, noPrice))?.paused).toBeUndefined();
      const paused = await setPaused(scope, id, true, NOON + 1);
      expect(paused.paused_at).toBe("2026-11-20T12:00:00.001Z");
      expect((await findLiveAgent(scope, id, "prod"))?.generation).toBe(2);
      expect(await loadRelease(scope, id, "prod", 0, noPrice)).toMatchObject({
        generation: 2,
        paused: true,
      });
      expect((await setPaused(scope, id, false, NOON + 2)).paused_at).toBeNull();
      expect((await loadRelease(scope, id, "prod", 0, noPrice))?.generation).toBe(3);
      expect((await getAgent(scope, id)).revision).toBe(1);
    });

    it("again is no change, and leaves no entry", async () => {
      const { scope, id } = await live();
      const first = await setPaused(scope, id, true, NOON + 1);
      expect(await setPaused(scope, id, true, NOON + 2)).toEqual(first);
      const { data } = await listAudit(scope, { limit: 100 });
      expect(data.filter(({ action }) => action === "agent.paused")).toHaveLength(1);
      expect((await findLiveAgent(scope, id, "prod"))?.generation).toBe(2);
    });

    it("touches no other agent, and none of another tenant", async () => {
      const { scope, id } = await live();
      const other = await newAgent(scope, "other");
      const stranger = await live();
      await setPaused(scope, id, true, NOON + 1);
      expect((await getAgent(scope, other.agent.id)).paused_at).toBeNull();
      const theirs = await findLiveAgent(stranger.scope, stranger.id, "prod");
      expect(theirs?.generation).toBe(1);
      expect(await refusal(setPaused(stranger.scope, id, false, NOON))).toBe("not_found");
    });
  });
}
