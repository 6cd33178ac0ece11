/** Versions that change under work that is under way, and a tenant brought back from its file (F84). */
import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import type { Approval } from "../../core/approvals/contract.ts";
import type { DeploymentMessage } from "../../core/db/outbox.ts";
import { tenantScope } from "../../core/db/scope.ts";
import { createDeployment } from "../../core/deployments/store.ts";
import type { Invocation } from "../../core/invocations/contract.ts";
import { servicesOf } from "../../workers/edge/services.ts";
import {
  FAR_SIDE,
  MODEL_SERVER,
  type TestAgent,
  addProvider,
  agentOf,
  asked,
  liveAgent,
  redeploy,
  release,
  seenBy,
} from "../fixtures/agent-runs.ts";
import { erasedBy, exportOf, importFile, setStatus } from "../fixtures/moving.ts";
import {
  type TestTenant,
  askPlatform,
  deliver,
  newKey,
  newWorld,
  request,
} from "../fixtures/world.ts";

const PASSPHRASE = "correct horse battery staple";

/** What a version tells its model, so that what the model was told names the version. */
const saying = (version: number, more: object = {}) => ({
  instructions: `You are version ${version}.`,
  ...more,
});

/** Where calls are led; that a build took a generation, which is handed out once, leads nobody. */
const POINTER = `SELECT deployment_id, version, sequence, generation, updated_at_ms
  FROM agent_environment WHERE agent_id = ?`;

let acme: TestTenant;

beforeEach(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
});

/** The version an invocation says it ran, and those its model was told in each of its requests. */
async function ranAs(agent: TestAgent, id: string, requests = 1) {
  const { status, version } = await agent.get(id);
  const told: string[] = [];
  for (let i = 0; i < requests; i += 1) {
    const sent = await asked(id, i);
    expect([id, i, sent.length]).toEqual([id, i, 1]);
    told.push(/You are version (\d+)/.exec(sent[0]?.messages[0]?.content ?? "")?.[1] ?? "none");
  }
  return { status, version, told };
}

const as = (version: number, requests = 1) => ({
  status: "succeeded",
  version,
  told: Array.from({ length: requests }, () => String(version)),
});

describe("a deployment under work that is under way", { timeout: 60_000 }, () => {
  it("F84: lets a running turn and those queued behind it end as accepted; the next is new", async () => {
    const agent = await liveAgent(acme, "support", saying(1));
    const running = await agent.start("[[hold]] first");
    const body = { session_id: running.session_id };
    await seenBy(MODEL_SERVER, { key: `${running.id}/model.0` }, 1);
    const queued = [await agent.start("second", { body }), await agent.start("third", { body })];
    await redeploy(acme, agent, saying(2));
    const after = await agent.start("fourth", { body });
    const elsewhere = await agent.ask("in a session of its own");
    expect(await ranAs(agent, elsewhere.id)).toEqual(as(2));
    expect(await agent.get(running.id)).toMatchObject({ status: "running", version: 1 });
    await redeploy(acme, agent, saying(3));
    await release(MODEL_SERVER);
    await agent.ended(after.id);
    for (const { id } of [running, ...queued]) expect(await ranAs(agent, id)).toEqual(as(1));
    expect(await ranAs(agent, after.id)).toEqual(as(2));
    const last = await agent.ask("fifth", { body });
    expect(await ranAs(agent, last.id)).toEqual(as(3));
    const [sent] = await asked(last.id);
    const said = sent?.messages.filter(({ role }) => role === "user").map((it) => it.content);
    expect(said).toEqual(["[[hold]] first", "second", "third", "fourth", "fifth"]);
  });

  it("F84: lets a turn that waits for people end as accepted, also in an object started anew", async () => {
    const pay = {
      kind: "http",
      name: "pay",
      description: "Pays.",
      method: "POST",
      url: `${FAR_SIDE}/pay`,
      input_schema: { type: "object", properties: {} },
      approval: {},
    };
    const agent = await liveAgent(acme, "payer", saying(1, { tools: [pay] }));
    const asker = await newKey(acme);
    const answer = await agent.send("[[tool-call]] pay {}", { as: asker });
    const waiting = await answer.json<Invocation>();
    expect([answer.status, waiting.status]).toEqual([202, "waiting"]);
    const body = { session_id: waiting.session_id };
    const queued = await agent.start("behind it", { body, as: asker });
    // The next version has no such tool, and would not ask.
    await redeploy(acme, agent, saying(2));
    await evictDurableObject(agent.stub());
    const after = await agent.start("behind both", { body, as: asker });
    const decider = await newKey(acme, { scopes: ["approvals:read", "approvals:decide"] });
    const [pending] = await agent.rows<{ id: string }>("SELECT id FROM approval");
    const path = `/v1/approvals/${pending?.id}`;
    const { digest } = await acme.json<Approval>(path, 200);
    await acme.json(`${path}/approve`, 200, { json: { digest }, as: decider });
    await agent.ended(after.id);
    expect(await ranAs(agent, waiting.id, 2)).toEqual(as(1, 2));
    expect(await seenBy(FAR_SIDE, { key: `${waiting.id}/tool.0#0` })).toHaveLength(1);
    expect(await ranAs(agent, queued.id)).toEqual(as(1));
    expect(await ranAs(agent, after.id)).toEqual(as(2));
  });

  it("F84: loses no request and answers none twice while five deployments go live", async () => {
    const agent = await liveAgent(acme, "busy", saying(1));
    const keys = Array.from({ length: 50 }, (_, n) => `call-${n}`);
    const call = async (key: string) => {
      const answer = await agent.send(`[[delay-200]] ${key}`, { key });
      return { status: answer.status, body: await answer.json<Invocation>() };
    };
    const calls: ReturnType<typeof call>[] = [];
    for (const version of [2, 3, 4, 5, 6]) {
      calls.push(...keys.slice((version - 2) * 10, (version - 1) * 10).map(call));
      await redeploy(acme, agent, saying(version));
    }
    const answers = await Promise.all(calls);
    expect(answers.map(({ status }) => status)).toEqual(keys.map(() => 200));
    expect(answers.map(({ body }) => body.output?.text)).toEqual(
      keys.map((key) => `echo: [[delay-200]] ${key}`),
    );
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(50);
    // Ten were sent under each of the first five: none is answered by what was replaced before.
    for (const [n, { body }] of answers.entries()) {
      expect(body.version).toBeGreaterThanOrEqual(Math.floor(n / 10) + 1);
    }
    for (const { body } of answers) expect(await ranAs(agent, body.id)).toEqual(as(body.version));
    const again = await Promise.all(keys.map(call));
    expect(again.map(({ body }) => body)).toEqual(answers.map(({ body }) => body));
    for (const { body } of answers) expect(await asked(body.id)).toHaveLength(1);
    const last = await agent.ask("after all of them");
    expect(await ranAs(agent, last.id)).toEqual(as(6));
  });

  it("F84: is not undone by its messages, late, twice and in no order", async () => {
    const agent = await liveAgent(acme, "orderly", saying(1));
    for (const version of [2, 3]) await redeploy(acme, agent, saying(version));
    const wanted = [await queuedFor(agent.id, 1), await queuedFor(agent.id, 2)];
    const last = await queuedFor(agent.id, 3);
    const running = await agent.start("[[hold]] under way");
    await seenBy(MODEL_SERVER, { key: `${running.id}/model.0` }, 1);
    await deliver("berth-deployments", [last]);
    const pointer = () => env.DB.prepare(POINTER).bind(agent.id).all();
    const { results: live } = await pointer();
    const path = `/v1/agents/${agent.id}/deployments`;
    for (const order of [wanted, [last, ...wanted], [...wanted.toReversed(), last, last]]) {
      await deliver("berth-deployments", order);
      expect((await pointer()).results).toEqual(live);
    }
    const listed = await acme.json<{ data: { id: string; status: string }[] }>(path, 200);
    const statuses = listed.data.map(({ status }) => status);
    expect(statuses).toEqual(["live", ...Array.from({ length: 5 }, () => "superseded")]);
    const next = await agent.ask("which one are you?");
    expect(await ranAs(agent, next.id)).toEqual(as(3));
    await release(MODEL_SERVER);
    await agent.ended(running.id);
    expect(await ranAs(agent, running.id)).toEqual(as(3));
  });
});

describe("a back-up", { timeout: 60_000 }, () => {
  it("F84: taken before comes back under another slug, answers the same, and goes on", async () => {
    const agent = await liveAgent(acme, "support", saying(1));
    const first = await agent.ask("Where is the office?", { key: "once" });
    await deliver("berth-ledger", [agent.owner]);
    const listed = await acme.json("/v1/invocations", 200);
    expect(listed["data"]).toHaveLength(1);
    await setStatus(acme, "suspend");
    const file = await exportOf(acme, { json: { passphrase: PASSPHRASE } });
    await setStatus(acme, "reactivate");
    await redeploy(acme, agent, saying(2));
    const lost = await agent.ask("Something that should not have been.");

    // While it is here a copy has no place; then all of it is gone.
    const opened = `${JSON.stringify({ passphrase: PASSPHRASE })}\n${file}`;
    const beside = await importFile(opened, "?slug=acme-two");
    expect([beside.status, await beside.json()]).toMatchObject([409, { code: "already_exists" }]);
    await setStatus(acme, "suspend");
    const json = { confirm: acme.slug };
    const id = await erasedBy(await askPlatform(`/v1/tenants/${acme.id}/erase`, { json }));
    await env.DB.prepare("UPDATE erasure SET erased_at_ms = 1 WHERE id = ?").bind(id).run();
    const arrived = await importFile(opened, "?slug=acme-two");
    expect([arrived.status, await arrived.json()]).toMatchObject([201, {}]);
    await setStatus(acme, "reactivate");

    const back = under(acme, "acme-two");
    const same = agentOf(back, agent.slug, agent.id);
    expect((await acme.ask("/v1/agents")).status).toBe(404);
    expect(await same.get(first.id)).toEqual(first);
    expect(await back.json("/v1/invocations", 200)).toEqual(listed);
    expect((await back.ask(`/v1/invocations/${lost.id}`)).status).toBe(404);
    expect(await same.ask("Where is the office?", { key: "once" })).toEqual(first);
    const next = await same.ask("And now?", { body: { session_id: first.session_id } });
    expect(next.output?.text).toBe("echo: And now?");
    expect(await ranAs(same, next.id)).toEqual(as(1));
    const [sent] = await seenBy(MODEL_SERVER, { key: `${next.id}/model.0` });
    expect(sent?.body).toContain("Where is the office?");
    expect(sent?.headers["authorization"]).toBe("Bearer sk-test-0123");
    await redeploy(back, same, saying(2));
    const rolled = await same.ask("And after a deployment?");
    expect(await ranAs(same, rolled.id)).toEqual(as(2));
  });
});

/** A deployment that is written and of which no queue was told: its message. */
async function queuedFor(agentId: string, version: number): Promise<DeploymentMessage> {
  const scope = tenantScope(servicesOf(env).platform, acme.id);
  const wanted = { version, environment: "prod" };
  const { deployment, outboxId } = await createDeployment(scope, agentId, wanted, Date.now());
  return { outboxId, tenantId: acme.id, deploymentId: deployment.id };
}

/** The same tenant at another host. */
function under(tenant: TestTenant, slug: string): TestTenant {
  const origin = `http://${slug}.localhost`;
  const ask: TestTenant["ask"] = (path, options = {}) =>
    request(origin, path, { as: tenant.key, ...options });
  return {
    ...tenant,
    slug,
    origin,
    ask,
    json: async <T>(path: string, expected: number, options = {}) => {
      const answer = await ask(path, options);
      expect([path, answer.status]).toEqual([path, expected]);
      return (await answer.json()) as T; // as the world's own
    },
  };
}
