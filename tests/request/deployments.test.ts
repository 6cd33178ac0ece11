import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { type DeploymentMessage, dueOutbox } from "../../core/db/outbox.ts";
import { tenantScope } from "../../core/db/scope.ts";
import { createDeployment } from "../../core/deployments/store.ts";
import { runtimeOf } from "../../workers/api/runtime.ts";
import { servicesOf } from "../../workers/edge/services.ts";
import {
  DEPLOYMENT_STAGES,
  type DeploymentJob,
  type DeploymentStage,
  consumeDeployments,
} from "../../workers/jobs/deployments.ts";
import { resendDeployments } from "../../workers/jobs/sweep.ts";
import { type TestTenant, deliver, deploy, newAgent, newKey, newWorld } from "../fixtures/world.ts";

type Deployment = {
  readonly id: string;
  readonly status: string;
  readonly events: readonly { readonly status: string }[];
  readonly error: { readonly code: string } | null;
};

let acme: TestTenant;
beforeAll(async () => {
  ({ acme } = await newWorld());
});

describe("a deployment", () => {
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

describe("a deployment's message", () => {
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
    const queue = {
      sendBatch: async (batch: Iterable<{ body: unknown }>) => {
        for (const { body } of batch) sent.push(body);
        return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
      },
    };
    const { platform } = servicesOf(env);
    const later = Date.now() + 60_000;
    await resendDeployments(platform, queue, later);
    expect(sent).toMatchObject([{ deploymentId: id, tenantId: acme.id }]);
    expect(await resendDeployments(platform, queue, later)).toBe(0);
    await deliver("berth-deployments", sent);
    expect(await acme.json(`/v1/deployments/${id}`, 200)).toMatchObject({ status: "live" });
    expect(await resendDeployments(platform, queue, later + 3_600_000)).toBe(0);
  });

  it("that is no message of ours, or about nothing, is dropped", async () => {
    const none = { outboxId: "evt_0", tenantId: acme.id, deploymentId: "dep_none" };
    for (const body of [null, "text", { tenantId: "../etc" }, none]) {
      expect(await delivered(body)).toBe("ack");
    }
  });

  it("does not hold up the others of its batch", async () => {
    const [first, second] = [await queued("batch-one"), await queued("batch-two")];
    const dying = dyingAt("built");
    const outcomes = await deliveredAll([first.message, second.message], { passed: dying });
    expect(outcomes).toEqual(["retry", "ack"]);
    expect(await acme.json(`/v1/deployments/${second.id}`, 200)).toMatchObject({ status: "live" });
  });
});

/** A deployment that is written but of which no queue was told. */
async function queued(slug: string): Promise<{ message: DeploymentMessage; id: string }> {
  const agent = await newAgent(acme, slug);
  const scope = tenantScope(servicesOf(env).platform, acme.id);
  const wanted = { version: 1, environment: "prod" };
  const { deployment, outboxId } = await createDeployment(scope, agent.id, wanted, Date.now());
  const message = { outboxId, tenantId: acme.id, deploymentId: deployment.id };
  return { message, id: deployment.id };
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

async function owed(deploymentId: string): Promise<readonly DeploymentMessage[]> {
  const due = await dueOutbox(servicesOf(env).platform, Date.now() + 86_400_000, 100);
  return due.filter((message) => message.deploymentId === deploymentId);
}
