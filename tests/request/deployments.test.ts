import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import type { DeploymentMessage } from "../../core/db/outbox.ts";
import { tenantScope } from "../../core/db/scope.ts";
import type { Release } from "../../core/deployments/release.ts";
import { createDeployment } from "../../core/deployments/store.ts";
import type { Owner } from "../../durable-objects/agent-runtime/contract.ts";
import { runtimeOf } from "../../workers/api/runtime.ts";
import { servicesOf } from "../../workers/edge/services.ts";
import { announceDeployment } from "../../workers/jobs/announce.ts";
import {
  DEPLOYMENT_STAGES,
  type DeploymentJob,
  type DeploymentStage,
  consumeDeployments,
} from "../../workers/jobs/deployments.ts";
import { AT_START, EVERY_MINUTE } from "../../workers/jobs/cron.ts";
import { resendDeployments, sweep } from "../../workers/jobs/sweep.ts";
import { type TestTenant, deliver, deploy, newAgent, newKey, newWorld } from "../fixtures/world.ts";

type Deployment = {
  readonly id: string;
  readonly status: string;
  readonly events: readonly { readonly status: string }[];
  readonly error: { readonly code: string } | null;
};

let acme: TestTenant;
let globex: TestTenant;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
});

describe("a deployment", { timeout: 30_000 }, () => {
  it("F108: is accepted at once and carried out from the queue, with its events", async () => {
    const agent = await newAgent(acme, "support");
    const path = "/v1/agents/support/deployments";
    const accepted = await acme.ask(path, { json: { version: 1, environment: "prod" } });
    expect(accepted.status).toBe(202);
    const location = accepted.headers.get("location") ?? "";
    expect(await acme.json(location, 200)).toMatchObject({ version: 1, environment: "prod" });
    const second = await deploy<Deployment>(acme, agent.id);
    expect(second.status).toBe("live");
    expect(second.events.map(({ status }) => status)).toEqual(["queued", "building", "live"]);
    expect(await acme.json(location, 200)).toMatchObject({ status: "superseded" });
    expect(await acme.json("/v1/agents/support", 200)).toMatchObject({ live: { prod: 1 } });
    const listed = await acme.json<{ data: Deployment[] }>(path, 200);
    expect(listed.data.map(({ id }) => id)).toEqual([second.id, location.split("/").at(-1)]);
    expect(await acme.json(`${path}/${second.id}`, 200)).toEqual(second);
  });

  it("that nobody asked for yet is 503, with when to ask again", async () => {
    await newAgent(acme, "not-yet");
    const answer = await acme.ask("/a/not-yet/invoke", { json: { input: "Hello" } });
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("5");
    expect(await answer.json()).toMatchObject({ code: "not_deployed" });
  });

  it("tells what it cannot deploy, by its place, and makes nothing", async () => {
    await newAgent(acme, "strict");
    const path = "/v1/agents/strict/deployments";
    for (const [json, pointer] of [
      [{ version: 7, environment: "prod" }, "/version"],
      [{ version: 1, environment: "moon" }, "/environment"],
      [{ version: "1", environment: "prod" }, "/version"],
      [{ version: 1, environment: "prod", force: true }, "/force"],
    ] as const) {
      const refused = await acme.json(path, 422, { json });
      expect(refused).toMatchObject({ errors: [{ pointer }] });
    }
    expect(await acme.json(path, 200)).toMatchObject({ data: [] });
  });

  it("is failed with the problem when its agent cannot run", async () => {
    const provider = { slug: "gone", kind: "openai", base_url: "https://models.example/v1" };
    const { id } = await acme.json<{ id: string }>("/v1/providers", 201, { json: provider });
    const spec = { kind: "llm", model: "gone/model" };
    await acme.json("/v1/agents", 201, { json: { slug: "broken", name: "Broken", spec } });
    await acme.json("/v1/agents/broken/publish", 201, { method: "POST" });
    const headers = { "if-match": '"1"' };
    await acme.json(`/v1/providers/${id}`, 204, { method: "DELETE", headers });
    const failed = await deploy<Deployment>(acme, "broken");
    expect(failed.status).toBe("failed");
    expect(failed.error?.code).toBe("spec_invalid");
    expect(failed.events.map(({ status }) => status)).toEqual(["queued", "building", "failed"]);
    expect(await acme.json("/v1/agents/broken", 200)).toMatchObject({ live: {} });
  });

  it("is out of reach of a key narrowed to another environment or agent", async () => {
    const agent = await newAgent(acme, "narrow");
    const { id } = await deploy(acme, agent.id);
    const json = { version: 1, environment: "prod" };
    for (const narrowing of [{ environment: "dev" }, { agent: "support" }]) {
      const as = await newKey(acme, narrowing);
      expect((await acme.ask(`/v1/deployments/${id}`, { as })).status).toBe(404);
      expect((await acme.ask("/v1/agents/narrow/deployments", { as, json })).status).toBe(404);
    }
  });
});

describe("a deployment's message", { timeout: 30_000 }, () => {
  it("F108: may be cut short after any stage; delivered again, the work is done once", async () => {
    for (const [index, stage] of DEPLOYMENT_STAGES.entries()) {
      const { message, id } = await queued(`cut-${index}`);
      const cut = await delivered(message, { passed: dyingAt(stage) });
      expect([stage, cut]).toEqual([stage, "retry"]);
      expect([stage, await delivered(message)]).toEqual([stage, "ack"]);
      const deployment = await acme.json<Deployment>(`/v1/deployments/${id}`, 200);
      expect(deployment.events.map(({ status }) => status)).toEqual(["queued", "building", "live"]);
      expect(await owed(id)).toEqual([]);
    }
  });

  it("fails once at each fault point that is configured, and then goes on", async () => {
    const { message, id } = await queued("faulty");
    const faulty = { ...env, FAULT_POINTS: "deployment-begun,deployment-swapped" };
    const statuses: string[] = [];
    for (let delivery = 0; delivery < 3; delivery += 1) {
      await deliver("berth-deployments", [message], faulty);
      const { status } = await acme.json<Deployment>(`/v1/deployments/${id}`, 200);
      statuses.push(`${status} ${(await owed(id)).length}`);
    }
    expect(statuses).toEqual(["building 1", "live 1", "live 0"]);
  });

  it("F108: delivered once more, and twice at once, changes nothing", async () => {
    const { message, id } = await queued("again");
    await Promise.all([delivered(message), delivered(message)]);
    const path = `/v1/deployments/${id}`;
    const before = await acme.json<Deployment>(path, 200);
    expect(before.status).toBe("live");
    expect(await delivered(message)).toBe("ack");
    expect(await acme.json(path, 200)).toEqual(before);
  });

  it("is sent again by the sweep until it is acknowledged", async () => {
    const { id } = await queued("lost");
    const sent: unknown[] = [];
    const queue = queueInto(sent);
    const { platform } = servicesOf(env);
    const later = Date.now() + 60_000;
    await resendDeployments(platform, queue, later);
    expect(sent).toMatchObject([{ deploymentId: id, tenantId: acme.id }]);
    expect(await resendDeployments(platform, queue, later)).toBe(0);
    await deliver("berth-deployments", sent);
    expect(await acme.json(`/v1/deployments/${id}`, 200)).toMatchObject({ status: "live" });
    expect(await resendDeployments(platform, queue, later + 3_600_000)).toBe(0);
  });

  it("accepted just before a local server died is sent again at its start, due or not, once", async () => {
    const { id } = await queued("cut-off");
    const sent: unknown[] = [];
    const DEPLOYMENTS = queueInto(sent);
    const swept = (cron: string) => sweep({ cron }, { ...env, DEPLOYMENTS });
    await swept(EVERY_MINUTE);
    expect(sent).toEqual([]);
    await swept(AT_START);
    expect(sent).toMatchObject([{ deploymentId: id, tenantId: acme.id }]);
    await swept(EVERY_MINUTE);
    expect(sent).toHaveLength(1);
    await deliver("berth-deployments", sent);
    await swept(AT_START);
    expect(sent).toHaveLength(1);
  });

  it("that is no message of ours, or about nothing, is dropped", async () => {
    const none = { outboxId: "evt_0", tenantId: acme.id, deploymentId: "dep_none" };
    for (const body of [null, "text", { tenantId: "../etc" }, none]) {
      expect(await delivered(body)).toBe("ack");
    }
  });

  it("of an earlier deployment that comes after a later one takes nothing back", async () => {
    const earlier = await queued("overtaken");
    const later = await queuedFor(earlier.agentId);
    expect(await delivered(later.message)).toBe("ack");
    expect(await delivered(earlier.message)).toBe("ack");
    const statusOf = ({ id }: Queued) => acme.json<Deployment>(`/v1/deployments/${id}`, 200);
    expect(await statusOf(earlier)).toMatchObject({ status: "superseded" });
    expect(await statusOf(later)).toMatchObject({ status: "live" });
  });

  it("whose provider changes under the build is built again with the provider of now", async () => {
    const base_url = `http://127.0.0.1:${env.TEST_MODEL_PORT}/v1`;
    const json = { slug: "moving", kind: "openai", base_url };
    const provider = await acme.json<{ id: string }>("/v1/providers", 201, { json });
    const { message, id } = await queued("behind", { kind: "llm", model: "moving/echo" });
    const releases: Release[] = [];
    let patched = false;
    const changing = (owner: Owner) => ({
      install: (release: Release) => runtimeOf(env, owner).install(release),
      health: async (of: Owner, generation: number) => {
        const headers = { "if-match": '"1"' };
        const change = { method: "PATCH", json: { api_key: "sk-of-now" }, headers };
        if (!patched) await acme.json(`/v1/providers/${provider.id}`, 200, change);
        patched = true;
        return runtimeOf(env, owner).health(of, generation);
      },
    });
    const swapped = (release: Release) => void releases.push(release);
    expect(await delivered(message, { runtimeOf: changing, swapped })).toBe("ack");
    expect(await acme.json(`/v1/deployments/${id}`, 200)).toMatchObject({ status: "live" });
    expect(releases.map(({ providers: [used] }) => used?.sealedKey !== null)).toEqual([
      false,
      true,
    ]);
  });

  it("that meets only defects is given up after a while, and told so", async () => {
    const { message, id } = await queued("cursed");
    const dying = () => {
      throw new Error("a defect");
    };
    expect(await delivered(message, { passed: dying })).toBe("retry");
    expect(await acme.json(`/v1/deployments/${id}`, 200)).toMatchObject({ status: "building" });
    const now = () => Date.now() + 3_600_000;
    expect(await delivered(message, { passed: dying, now })).toBe("ack");
    expect(await acme.json(`/v1/deployments/${id}`, 200)).toMatchObject({
      status: "failed",
      error: { code: "timeout" },
    });
  });

  it("F12: reaches no further than the tenant it names", async () => {
    const { message, id } = await queued("mine");
    expect(await delivered({ ...message, tenantId: globex.id })).toBe("ack");
    expect(await acme.json(`/v1/deployments/${id}`, 200)).toMatchObject({ status: "queued" });
  });

  it("that cannot be sent leaves the deployment accepted, for the sweep to announce", async () => {
    const failing = { send: () => Promise.reject(new Error("the queue is down")) };
    const { message } = await queued("unsent");
    await expect(announceDeployment(failing, message)).resolves.toBeUndefined();
    expect(await owed(message.deploymentId)).toEqual([{ id: message.outboxId }]);
  });

  it("does not hold up the others of its batch", async () => {
    const [first, second] = [await queued("batch-one"), await queued("batch-two")];
    const dying = dyingAt("built");
    const outcomes = await deliveredAll([first.message, second.message], { passed: dying });
    expect(outcomes).toEqual(["retry", "ack"]);
    expect(await acme.json(`/v1/deployments/${second.id}`, 200)).toMatchObject({ status: "live" });
  });
});

/** A queue that only keeps what it is sent. */
function queueInto(sent: unknown[]): Queue {
  const sendBatch = async (batch: Iterable<{ body: unknown }>) => {
    for (const { body } of batch) sent.push(body);
    return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
  };
  return { ...env.DEPLOYMENTS, sendBatch };
}

type Queued = {
  readonly message: DeploymentMessage;
  readonly id: string;
  readonly agentId: string;
};

/** A deployment that is written but of which no queue was told. */
async function queued(slug: string, spec?: object): Promise<Queued> {
  return queuedFor((await newAgent(acme, slug, spec)).id);
}

async function queuedFor(agentId: string): Promise<Queued> {
  const scope = tenantScope(servicesOf(env).platform, acme.id);
  const wanted = { version: 1, environment: "prod" };
  const { deployment, outboxId } = await createDeployment(scope, agentId, wanted, Date.now());
  const message = { outboxId, tenantId: acme.id, deploymentId: deployment.id };
  return { message, id: deployment.id, agentId };
}

type Outcome = "ack" | "retry" | "nothing";

async function delivered(body: unknown, options: Partial<DeploymentJob> = {}): Promise<Outcome> {
  const [outcome = "nothing"] = await deliveredAll([body], options);
  return outcome;
}

async function deliveredAll(
  bodies: readonly unknown[],
  options: Partial<DeploymentJob> = {},
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = bodies.map(() => "nothing");
  const messages = bodies.map((body, index) => ({
    body,
    attempts: 1,
    ack: () => void (outcomes[index] = "ack"),
    retry: () => void (outcomes[index] = "retry"),
  }));
  const job: DeploymentJob = {
    platform: servicesOf(env).platform,
    runtimeOf: (owner) => runtimeOf(env, owner),
    now: Date.now,
    ...options,
  };
  await consumeDeployments({ queue: "berth-deployments", messages }, job);
  return outcomes;
}

/** Throws the first time the stage is passed: the process that was there is no more. */
function dyingAt(stage: DeploymentStage): (passed: DeploymentStage) => void {
  let dead = false;
  return (passed) => {
    if (passed !== stage || dead) return;
    dead = true;
    throw new Error(`died after ${stage}`);
  };
}

/** Outbox rows about a deployment: read, not claimed. */
async function owed(deploymentId: string): Promise<readonly unknown[]> {
  const read = env.DB.prepare("SELECT id FROM outbox WHERE subject = ?").bind(deploymentId);
  return (await read.all()).results;
}
