/** Requests are kept while an upstream is down or its agent paused, and run in their order after. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { AgentCondition } from "../../core/agents/contract.ts";
import type { Invocation } from "../../core/invocations/contract.ts";
import { liveAgent } from "../fixtures/agent-runs.ts";
import { httpAgent, releaseUpstreams, type HttpAgent } from "../fixtures/http-agents.ts";
import { newWorld, type TestTenant } from "../fixtures/world.ts";

let acme: TestTenant;

beforeAll(async () => {
  ({ acme } = await newWorld());
});
afterEach(() => {
  vi.useRealTimers();
});

const HEALTH = { path: "/health", interval_ms: 30_000, timeout_ms: 5000, failures: 3 };

const conditionOf = async ({ id }: Pick<HttpAgent, "id">): Promise<AgentCondition | undefined> =>
  (await acme.json<{ data: AgentCondition[] }>(`/v1/agents/${id}/health`, 200)).data[0];

/** One beat of the object's alarm, `afterMs` later, and the check it began. */
async function beat(agent: HttpAgent, afterMs = 30_000): Promise<AgentCondition | undefined> {
  const before = (await conditionOf(agent))?.upstream?.checked_at;
  vi.setSystemTime(Date.now() + afterMs);
  await runDurableObjectAlarm(agent.stub());
  for (let i = 0; i < 200; i += 1) {
    const condition = await conditionOf(agent);
    if (condition?.upstream?.checked_at !== before) return condition;
  }
  throw new Error("no check was made");
}

function clock(): void {
  vi.useFakeTimers({ toFake: ["Date"] });
}

const keyed = (agent: HttpAgent, n: number) =>
  agent.proxy(`/echo/${n}`, { method: "POST", raw: String(n) });

async function accepted(response: Response): Promise<Invocation> {
  expect(response.status).toBe(202);
  expect(response.headers.get("location")).toMatch(/^\/v1\/invocations\/inv_/);
  return response.json();
}

describe("the health check", () => {
  it("F174, F207: three failures in a row and the upstream is down; one success ends it", async () => {
    clock();
    const agent = await httpAgent(acme, "watched", { upstream: { health: HEALTH } });
    expect(await conditionOf(agent)).toMatchObject({
      upstream: { status: "healthy", failures: 0, breaker_open: false },
    });
    await agent.set("gone");
    expect(await beat(agent)).toMatchObject({ upstream: { status: "healthy", failures: 1 } });
    expect(await beat(agent)).toMatchObject({ upstream: { status: "healthy", failures: 2 } });
    expect(await beat(agent)).toMatchObject({ upstream: { status: "down", failures: 3 } });
    await agent.set("up");
    expect(await beat(agent)).toMatchObject({ upstream: { status: "healthy", failures: 0 } });
  });

  it("F101, F207: comes no sooner than its interval", async () => {
    clock();
    const agent = await httpAgent(acme, "paced", { upstream: { health: HEALTH } });
    const before = (await beat(agent))?.upstream?.checked_at;
    vi.setSystemTime(Date.now() + 29_000);
    await runDurableObjectAlarm(agent.stub());
    expect((await conditionOf(agent))?.upstream?.checked_at).toBe(before);
    expect(await beat(agent, 1001)).toMatchObject({ upstream: { status: "healthy" } });
  });

  it("F174: keeps a version from going live whose upstream is not there", async () => {
    const agent = await httpAgent(acme, "never", {
      upstream: { health: { ...HEALTH, path: "/status-500" } },
      expect: "failed",
    });
    const { live } = await acme.json<{ live: object }>(`/v1/agents/${agent.id}`, 200);
    expect(live).toEqual({});
  });
});

describe("while the upstream is down", () => {
  it("F93, F95: requests are kept, and sent in the order they came, each once", async () => {
    clock();
    const agent = await httpAgent(acme, "order", { upstream: { health: HEALTH } });
    await agent.set("gone");
    for (let i = 0; i < 3; i += 1) await beat(agent);
    const kept: Invocation[] = [];
    for (let n = 0; n < 8; n += 1) kept.push(await accepted(await keyed(agent, n)));
    expect(await agent.took("echo")).toEqual([]);
    expect(await conditionOf(agent)).toMatchObject({ open: 8 });
    await agent.set("up");
    await beat(agent);
    const ended = await Promise.all(kept.map(({ id }) => agent.ended(id)));
    expect(ended.map(({ status }) => status)).toEqual(kept.map(() => "succeeded"));
    const requests = await agent.took("echo");
    expect(requests.map(({ body }) => body)).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"]);
    expect(requests.map(({ headers }) => headers["berth-replay"])).toEqual(kept.map(() => "true"));
    const now = await keyed(agent, 9);
    expect(now.status).toBe(200);
    await now.text();
  });

  it("F95: what no health check told is found out by the calls, and kept all the same", async () => {
    const agent = await httpAgent(acme, "unwatched", {
      upstream: { breaker: { failures: 1, open_ms: 100, cap_ms: 100 } },
    });
    await agent.set("gone");
    const kept = [await accepted(await keyed(agent, 1)), await accepted(await keyed(agent, 2))];
    expect(await agent.took("echo")).toEqual([]);
    expect(await conditionOf(agent)).toMatchObject({ upstream: { breaker_open: true } });
    await agent.set("up");
    const ended = await Promise.all(kept.map(({ id }) => agent.ended(id)));
    expect(ended.map(({ status }) => status)).toEqual(["succeeded", "succeeded"]);
    expect(await agent.took("echo")).toHaveLength(2);
  });

  it("F206: a request is kept as long as the spec says, then it is dead", async () => {
    clock();
    const agent = await httpAgent(acme, "old", { upstream: { health: HEALTH } });
    await agent.set("gone");
    for (let i = 0; i < 3; i += 1) await beat(agent);
    const { id } = await accepted(await keyed(agent, 1));
    await beat(agent, 86_400_001);
    await runDurableObjectAlarm(agent.stub());
    expect(await agent.ended(id)).toMatchObject({
      status: "dead",
      error: { code: "upstream_failed" },
    });
    expect(await agent.took("echo")).toEqual([]);
  });
});

describe("pause, resume and restart", () => {
  const post = (id: string, verb: string) =>
    acme.json<{ paused_at: string | null }>(`/v1/agents/${id}/${verb}`, 200, { method: "POST" });

  it("F93: a paused agent keeps what comes and runs it in its order when it is resumed", async () => {
    const agent = await httpAgent(acme, "paused");
    expect((await post(agent.id, "pause")).paused_at).not.toBeNull();
    const kept: Invocation[] = [];
    for (let n = 0; n < 5; n += 1) kept.push(await accepted(await keyed(agent, n)));
    expect(await conditionOf(agent)).toMatchObject({ paused: true, open: 5 });
    expect(await agent.took("echo")).toEqual([]);
    expect((await post(agent.id, "resume")).paused_at).toBeNull();
    for (const { id } of kept) expect((await agent.ended(id)).status).toBe("succeeded");
    const requests = await agent.took("echo");
    expect(requests.map(({ body }) => body)).toEqual(["0", "1", "2", "3", "4"]);
  });

  it("F93: gives nothing up for having waited for its agent", async () => {
    clock();
    const agent = await httpAgent(acme, "patient");
    await post(agent.id, "pause");
    const { id } = await accepted(await keyed(agent, 1));
    vi.setSystemTime(Date.now() + 30 * 86_400_000);
    await post(agent.id, "resume");
    expect((await agent.ended(id)).status).toBe("succeeded");
  });

  it("works for agents of every kind, and again is no change", async () => {
    const agent = await liveAgent(acme, "thinker", { model: "local/extract" });
    await post(agent.id, "pause");
    const first = await post(agent.id, "pause");
    expect(first).toEqual(await post(agent.id, "pause"));
    const { id, status } = await agent.start("hello");
    expect(status).toBe("accepted");
    const waited = await agent.send("hello", { prefer: "wait=60" });
    expect(waited.status).toBe(202);
    await waited.text();
    await post(agent.id, "resume");
    expect((await agent.ended(id)).status).toBe("succeeded");
  });

  it("holds in every environment, and over a new version", async () => {
    const agent = await httpAgent(acme, "held");
    await post(agent.id, "pause");
    await acme.json(`/v1/agents/${agent.id}/deployments`, 202, {
      json: { version: 1, environment: "dev" },
    });
    expect(await conditionOf(agent)).toMatchObject({ paused: true });
    await post(agent.id, "resume");
  });

  it("restarts: what runs is interrupted and sent again under the same key", async () => {
    const agent = await httpAgent(acme, "restarted", { upstream: { idempotent: true } });
    const started = await agent.proxy("/sse", { headers: { prefer: "respond-async" } });
    const { id } = await accepted(started);
    await agent.took("sse", 1);
    await post(agent.id, "restart");
    const requests = await agent.took("sse", 2);
    expect(new Set(requests.map(({ key }) => key)).size).toBe(1);
    expect(requests[1]?.headers["berth-replay"]).toBe("true");
    await releaseUpstreams();
    expect((await agent.ended(id)).status).toBe("succeeded");
  });
});
