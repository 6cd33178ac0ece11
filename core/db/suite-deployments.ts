import { describe, expect, it } from "vitest";
import { LlmSpec } from "../agents/spec.ts";
import { deleteAgent, getAgent, putDraft } from "../agents/store.ts";
import { createDeployment } from "../deployments/store.ts";
import { beginBuilding, failDeployment } from "../deployments/store-builds.ts";
import { findLiveAgent } from "../deployments/store-live.ts";
import { finishLive } from "../deployments/store-pointer.ts";
import { getDeployment, listDeployments } from "../deployments/store-reads.ts";
import type { Build } from "../deployments/contract.ts";
import { newId } from "../ids.ts";
import { defaultProjectId } from "../projects/contract.ts";
import { createProvider, deleteProvider, patchProvider } from "../providers/store.ts";
import { buildRelease, loadRelease } from "../releases/store.ts";
import { ensureTag, findObjectByTag } from "../runtime-objects/store.ts";
import { publishDraft } from "../versions/store.ts";
import { RESEND_MS, acknowledgeOutbox, dueOutbox } from "./outbox.ts";
import type { TenantScope } from "./scope.ts";
import {
  FIRST_PAGE,
  NOON,
  newAgent,
  newTenant,
  type Open,
  PORTS,
  refusal,
  missing,
} from "./suite-world.ts";

const noPrice = () => undefined;
const seal = async (_of: unknown, text: string) => `sealed:${text}`;

async function begun(scope: TenantScope, id: string) {
  const build = await beginBuilding(scope, id, NOON);
  return build ?? missing("a build");
}

/** Begun, and its release made for the one replica. */
async function built(scope: TenantScope, id: string) {
  const build = await begun(scope, id);
  return { build, release: await buildRelease(scope, build, 0, noPrice, NOON) };
}

/** From asked for to live, as the consumer does it. */
async function deploy(scope: TenantScope, agentId: string, version: number, environment = "prod") {
  const { deployment } = await createDeployment(scope, agentId, { version, environment }, NOON);
  const { build, release } = await built(scope, deployment.id);
  return { id: deployment.id, release, outcome: await finishLive(scope, build, NOON) };
}

async function secondVersion(scope: TenantScope, agentId: string): Promise<number> {
  const { spec } = (await newAgent(scope, `x-${newId("agent", NOON).slice(-8)}`)).version;
  await putDraft(scope, agentId, 1, LlmSpec.parse({ ...spec, instructions: "Second." }), NOON);
  return (await publishDraft(scope, agentId, 2, PORTS, NOON)).number;
}

export function deploymentCases(open: Open): void {
  describe("deployments", () => {
    it("F108: goes queued → building → live with an event each", async () => {
      const { scope } = await newTenant(open());
      const { agent, version } = await newAgent(scope);
      expect(await refusal(Promise.resolve(findLiveAgent(scope, "support", "prod")))).toBe(
        "not_deployed",
      );
      const { id, release, outcome } = await deploy(scope, agent.id, 1);
      expect(outcome).toBe("live");
      const live = await getDeployment(scope, id);
      expect(live).toMatchObject({ status: "live", version: 1, environment: "prod", error: null });
      expect(live.events.map(({ status }) => status)).toEqual(["queued", "building", "live"]);
      expect(await findLiveAgent(scope, agent.id, "prod")).toEqual({
        agentId: agent.id,
        slug: "support",
        name: "support",
        environment: "prod",
        generation: 1,
        version: 1,
        replicas: 1,
        tag: release.tag,
        homes: null,
        projectId: defaultProjectId(scope.tenantId),
        tags: [],
        ownerId: null,
      });
      expect((await getAgent(scope, "support")).live).toEqual({ prod: 1 });
      expect(await loadRelease(scope, agent.id, "prod", 0, noPrice)).toEqual(release);
      expect(release).toMatchObject({
        tenantId: scope.tenantId,
        versionId: version.id,
        specHash: version.spec_hash,
        spec: version.spec,
        providers: [],
      });
    });

    it("F108: the row and its message are written together, or neither", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      const { deployment, outboxId } = await createDeployment(
        scope,
        agent.id,
        { version: 1, environment: "dev" },
        NOON,
      );
      const wrong = { version: 7, environment: "dev" };
      expect(await refusal(createDeployment(scope, agent.id, wrong, NOON))).toBe("invalid");
      const moon = { version: 1, environment: "moon" };
      expect(await refusal(createDeployment(scope, agent.id, moon, NOON))).toBe("invalid");
      expect(await refusal(createDeployment(scope, "none", wrong, NOON))).toBe("not_found");
      const listed = await listDeployments(scope, agent.id, FIRST_PAGE);
      expect(listed.data.map(({ id }) => id)).toEqual([deployment.id]);
      const due = await dueOutbox(open(), NOON + RESEND_MS, 1000);
      const ours = due.filter(({ tenantId }) => tenantId === scope.tenantId);
      expect(ours).toEqual([{ outboxId, tenantId: scope.tenantId, deploymentId: deployment.id }]);
    });

    it("F108: a message is due again until it is acknowledged, and to one taker at a time", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      const wish = { version: 1, environment: "dev" };
      const { outboxId } = await createDeployment(scope, agent.id, wish, NOON);
      const take = async (nowMs: number) =>
        (await dueOutbox(open(), nowMs, 1000)).filter((due) => due.outboxId === outboxId).length;
      expect(await take(NOON + RESEND_MS - 1)).toBe(0);
      const both = await Promise.all([take(NOON + RESEND_MS), take(NOON + RESEND_MS)]);
      expect(both.toSorted((a, b) => a - b)).toEqual([0, 1]);
      expect(await take(NOON + 2 * RESEND_MS)).toBe(1);
      await acknowledgeOutbox(open(), outboxId);
      await acknowledgeOutbox(open(), outboxId);
      expect(await take(NOON + 9 * RESEND_MS)).toBe(0);
    });

    it("F108: a redelivered message changes nothing, at whatever stage it comes", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      const wish = { version: 1, environment: "prod" };
      const { deployment } = await createDeployment(scope, agent.id, wish, NOON);
      const builds = await Promise.all([begun(scope, deployment.id), begun(scope, deployment.id)]);
      const again = await begun(scope, deployment.id);
      expect(new Set([...builds, again].map(({ generation }) => generation)).size).toBe(1);
      const tags = await Promise.all(
        builds.map((build) => buildRelease(scope, build, 0, noPrice, NOON)),
      );
      expect(tags[0]).toEqual(tags[1]);
      const swaps = await Promise.all(builds.map((build) => finishLive(scope, build, NOON)));
      expect(swaps).toEqual(["live", "live"]);
      expect(await beginBuilding(scope, deployment.id, NOON)).toBeUndefined();
      const late = { code: "internal" as const, detail: "too late" };
      expect((await failDeployment(scope, deployment.id, late, NOON)).status).toBe("live");
      const { events } = await getDeployment(scope, deployment.id);
      expect(events.map(({ status }) => status)).toEqual(["queued", "building", "live"]);
    });

    it("a failed deployment says why, and leaves what is live alone", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      const first = await deploy(scope, agent.id, 1);
      const wish = { version: 1, environment: "prod" };
      const { deployment } = await createDeployment(scope, agent.id, wish, NOON);
      const build = await begun(scope, deployment.id);
      const problem = { code: "spec_invalid" as const, detail: "the key does not open" };
      await failDeployment(scope, deployment.id, problem, NOON);
      expect(await finishLive(scope, build, NOON)).toBe("gone");
      const failed = await failDeployment(scope, deployment.id, problem, NOON);
      expect(failed).toMatchObject({ status: "failed", error: problem });
      expect(failed.events.map(({ status }) => status)).toEqual(["queued", "building", "failed"]);
      expect((await getDeployment(scope, first.id)).status).toBe("live");
    });

    it("failing and going live at once: the pointer says what the status says", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      const wish = { version: 1, environment: "prod" };
      const { deployment } = await createDeployment(scope, agent.id, wish, NOON);
      const { build } = await built(scope, deployment.id);
      const problem = { code: "timeout" as const, detail: "no answer" };
      const [outcome] = await Promise.all([
        finishLive(scope, build, NOON),
        failDeployment(scope, deployment.id, problem, NOON),
      ]);
      const { status } = await getDeployment(scope, deployment.id);
      const pulled = await loadRelease(scope, agent.id, "prod", 0, noPrice);
      expect([outcome, status, pulled === undefined]).toEqual(
        status === "live" ? ["live", "live", false] : ["gone", "failed", true],
      );
    });

    it("the next deployment supersedes the one that was live", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      const first = await deploy(scope, agent.id, 1);
      const second = await deploy(scope, agent.id, await secondVersion(scope, agent.id));
      expect(second.release.generation).toBeGreaterThan(first.release.generation);
      expect(second.release.tag).toBe(first.release.tag);
      const old = await getDeployment(scope, first.id);
      expect(old.events.map(({ status }) => status).at(-1)).toBe("superseded");
      expect((await getAgent(scope, agent.id)).live).toEqual({ prod: 2 });
      expect((await loadRelease(scope, agent.id, "prod", 0, noPrice))?.version).toBe(2);
    });

    it("environments are deployed apart", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      const prod = await deploy(scope, agent.id, 1, "prod");
      const dev = await deploy(scope, agent.id, 1, "dev");
      expect(dev.release.tag).not.toBe(prod.release.tag);
      expect((await getDeployment(scope, prod.id)).status).toBe("live");
      expect((await getAgent(scope, agent.id)).live).toEqual({ dev: 1, prod: 1 });
    });

    it.each([
      ["in order", [0, 1], [0, 1]],
      ["in reverse", [0, 1], [1, 0]],
      ["in order, begun in reverse", [1, 0], [0, 1]],
      ["in reverse, begun in reverse", [1, 0], [1, 0]],
      ["at once", [0, 1], undefined],
    ])("two builds whose swaps come %s: the later deployment is live", async (_, begins, swaps) => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      const wish = { version: 1, environment: "prod" };
      const ids: string[] = [];
      for (const nowMs of [NOON, NOON - 50]) {
        ids.push((await createDeployment(scope, agent.id, wish, nowMs)).deployment.id);
      }
      const builds = new Map<number, Build>();
      for (const i of begins) builds.set(i, (await built(scope, ids[i] ?? "")).build);
      const swap = async (i: number): Promise<void> => {
        const build = builds.get(i) ?? missing("a build");
        if ((await finishLive(scope, build, NOON)) !== "behind") return;
        await finishLive(scope, (await built(scope, build.deployment.id)).build, NOON);
      };
      if (swaps === undefined) await Promise.all([swap(0), swap(1)]);
      else for (const i of swaps) await swap(i);
      const found = await Promise.all(ids.map((id) => getDeployment(scope, id)));
      expect(found.map(({ status }) => status)).toEqual(["superseded", "live"]);
      const pulled = await loadRelease(scope, agent.id, "prod", 0, noPrice);
      expect(pulled?.deploymentId).toBe(ids[1]);
    });

    it("an agent that is deleted is live nowhere", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      await deploy(scope, agent.id, 1);
      await deleteAgent(scope, agent.id, 1, NOON);
      expect(await findLiveAgent(scope, agent.id, "prod")).toBeUndefined();
      expect(await loadRelease(scope, agent.id, "prod", 0, noPrice)).toBeUndefined();
      expect(await refusal(listDeployments(scope, agent.id, FIRST_PAGE))).toBe("not_found");
    });
  });

  describe("providers of what is live", () => {
    const body = { slug: "openai", kind: "openai" as const, base_url: "https://one.test" };

    async function liveWithProvider(scope: TenantScope) {
      const provider = await createProvider(scope, { ...body, api_key: "k1" }, seal, NOON);
      const { agent, version } = await newAgent(scope);
      await putDraft(
        scope,
        agent.id,
        1,
        LlmSpec.parse({ ...version.spec, model: "openai/gpt-x" }),
        NOON,
      );
      await publishDraft(scope, agent.id, 2, PORTS, NOON);
      return { provider, agent };
    }

    it("a patched provider raises the generation of what is live, in the same batch", async () => {
      const { scope } = await newTenant(open());
      const { provider, agent } = await liveWithProvider(scope);
      const { release } = await deploy(scope, agent.id, 2);
      const price = { inputPerMillion: 1, outputPerMillion: 2 };
      expect(release.providers).toEqual([
        {
          id: provider.id,
          slug: "openai",
          kind: "openai",
          baseUrl: "https://one.test",
          sealedKey: "sealed:k1",
          secretName: null,
        },
      ]);
      await patchProvider(scope, provider.id, 1, { api_key: "k2" }, seal, NOON);
      const stale = patchProvider(scope, provider.id, 1, { api_key: "k3" }, seal, NOON);
      expect(await refusal(stale)).toBe("version_conflict");
      const live = await findLiveAgent(scope, agent.id, "prod");
      expect(live?.generation).toBe(release.generation + 1);
      const pulled = await loadRelease(scope, agent.id, "prod", 0, () => price);
      expect(pulled).toMatchObject({
        generation: release.generation + 1,
        providers: [{ sealedKey: "sealed:k2" }],
        prices: { "openai/gpt-x": price },
      });
      await deleteProvider(scope, provider.id, 2, NOON);
      const bare = await loadRelease(scope, agent.id, "prod", 0, noPrice);
      expect(bare).toMatchObject({ generation: release.generation + 2, providers: [] });
    });

    it.each(["the first", "a later"])(
      "%s build that a provider changed under is built again before it is live",
      async (which) => {
        const { scope } = await newTenant(open());
        const { provider, agent } = await liveWithProvider(scope);
        if (which === "a later") await deploy(scope, agent.id, 1);
        const wish = { version: 2, environment: "prod" };
        const { deployment } = await createDeployment(scope, agent.id, wish, NOON + 1);
        const { build } = await built(scope, deployment.id);
        await patchProvider(scope, provider.id, 1, { api_key: "k2" }, seal, NOON);
        expect(await finishLive(scope, build, NOON)).toBe("behind");
        const { build: rebuilt } = await built(scope, deployment.id);
        expect(rebuilt.generation).toBeGreaterThan(build.generation);
        expect(await finishLive(scope, build, NOON)).toBe("behind");
        expect(await finishLive(scope, rebuilt, NOON)).toBe("live");
        const pulled = await loadRelease(scope, agent.id, "prod", 0, noPrice);
        expect(pulled).toMatchObject({
          generation: rebuilt.generation,
          version: 2,
          providers: [{ sealedKey: "sealed:k2" }],
        });
      },
    );
  });

  describe("tags of objects", () => {
    it("gives a place one tag for ever, and finds the place by it", async () => {
      const { scope } = await newTenant(open());
      const place = { agentId: newId("agent", NOON), environment: "prod", replica: 0 };
      const tags = await Promise.all([1, 2, 3].map(() => ensureTag(scope, place, NOON)));
      expect(new Set(tags).size).toBe(1);
      expect(await findObjectByTag(scope, tags[0] ?? "")).toEqual(place);
      const other = await newTenant(open());
      expect(await findObjectByTag(other.scope, tags[0] ?? "")).toBeUndefined();
    });

    it("draws again when a tag is another object's", async () => {
      const { scope } = await newTenant(open());
      const draws = [7, 7, 9];
      const fill = (bytes: Uint8Array) => bytes.fill(draws.shift() ?? 0);
      const first = { agentId: newId("agent", NOON), environment: "prod", replica: 0 };
      const second = { ...first, replica: 1 };
      expect(await ensureTag(scope, first, NOON, fill)).toBe("777777");
      expect(await ensureTag(scope, second, NOON, fill)).toBe("999999");
      expect(await findObjectByTag(scope, "777777")).toEqual(first);
    });
  });

  describe("the wall between tenants, for what is deployed", () => {
    it("F5, F13: another tenant can neither see, move nor start a deployment", async () => {
      const acme = (await newTenant(open())).scope;
      const globex = (await newTenant(open())).scope;
      const { agent } = await newAgent(acme);
      const wish = { version: 1, environment: "prod" };
      const { deployment } = await createDeployment(acme, agent.id, wish, NOON);
      const build = await begun(acme, deployment.id);
      const codes = await Promise.all(
        [
          createDeployment(globex, agent.id, wish, NOON),
          getDeployment(globex, deployment.id),
          listDeployments(globex, agent.id, FIRST_PAGE),
          beginBuilding(globex, deployment.id, NOON),
          failDeployment(globex, deployment.id, { code: "internal", detail: "" }, NOON),
          buildRelease(globex, build, 0, noPrice, NOON),
        ].map(refusal),
      );
      expect(new Set(codes)).toEqual(new Set(["not_found"]));
      expect(await finishLive(globex, build, NOON)).toBe("gone");
      expect(await findLiveAgent(globex, agent.id, "prod")).toBeUndefined();
      expect(await loadRelease(globex, agent.id, "prod", 0, noPrice)).toBeUndefined();
      expect((await getDeployment(acme, deployment.id)).status).toBe("building");
    });
  });
}
