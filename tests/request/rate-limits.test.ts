/** Limits wider than one agent, exact at the boundary (F9, F36, F175), and kill switches (K5). */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Limit, LimitUse } from "../../core/limits/contract.ts";
import type { Stop } from "../../core/stops/contract.ts";
import { gateName } from "../../durable-objects/tenant-gate/contract.ts";
import { sweep } from "../../workers/jobs/sweep.ts";
import {
  MODEL_SERVER,
  type TestAgent,
  addProvider,
  liveAgent,
  release,
  seenBy,
} from "../fixtures/agent-runs.ts";
import { type TestTenant, newKey, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
  await addProvider(acme);
  await addProvider(globex);
});
afterEach(async () => {
  vi.useRealTimers();
  for (const noun of ["stops", "limits"]) {
    const page = await acme.json<{ data: { id: string; revision?: number }[] }>(`/v1/${noun}`, 200);
    for (const { id, revision = 1 } of page.data) {
      const headers = { "if-match": `"${revision}"` };
      await acme.ask(`/v1/${noun}/${id}`, { method: "DELETE", headers });
    }
  }
});

/** A minute, hour and day that no test leaves by accident: two in the morning of tomorrow. */
function freeze(): number {
  const now = Math.floor(Date.now() / 86_400_000) * 86_400_000 + 26 * 3_600_000;
  vi.useFakeTimers({ toFake: ["Date"], now });
  return now;
}

const set = (json: object) => acme.json<Limit>("/v1/limits", 201, { json });
const throwStop = (json: object) => acme.json<Stop>("/v1/stops", 201, { json });
const useOf = async ({ id }: Limit) =>
  (await acme.json<{ data: LimitUse[] }>(`/v1/limits/${id}/use`, 200)).data;

async function statusesOf(sent: readonly Promise<Response>[]): Promise<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (const answer of await Promise.all(sent)) {
    counts[answer.status] = (counts[answer.status] ?? 0) + 1;
    await answer.text();
  }
  return counts;
}

async function several(tenant: TestTenant, name: string, n: number): Promise<TestAgent[]> {
  const agents: TestAgent[] = [];
  for (let i = 0; i < n; i += 1) agents.push(await liveAgent(tenant, `${name}-${i}`));
  return agents;
}

const spread = (agents: readonly TestAgent[], n: number) =>
  Array.from({ length: n }, (_, i) => agents[i % agents.length]?.send("hello") ?? missing());

describe("a limit", () => {
  it("F9: of the tenant is met exactly by 100 at once over four agents", async () => {
    const agents = await several(acme, "wide", 4);
    freeze();
    const limit = await set({ level: "tenant", per: "minute", limit: 10 });
    expect(await statusesOf(spread(agents, 100))).toEqual({ 200: 10, 429: 90 });
    expect(await useOf(limit)).toMatchObject([{ limit: 10, used: 10, left: 0 }]);
    const refused = (await agents[0]?.send("hello")) ?? missing();
    expect(refused.headers.get("retry-after")).toBe("60");
    expect(await refused.json()).toMatchObject({
      code: "rate_limited",
      quotas: [{ name: limit.id, limit: 10, remaining: 0, period_seconds: 60 }],
    });
  });

  it("F9: leased ahead is taken back from who does not use it: every unit is had", async () => {
    const agents = await several(acme, "lazy", 3);
    freeze();
    await set({ level: "tenant", per: "hour", limit: 100 });
    await statusesOf(spread(agents, 3)); // each of them holds some ahead now
    const [greedy] = agents;
    const sent = Array.from({ length: 120 }, () => greedy?.send("hello") ?? missing());
    expect(await statusesOf(sent)).toEqual({ 200: 97, 429: 23 });
  });

  it("F175: per minute, hour and day begin anew with the clock's own", async () => {
    const agent = await liveAgent(acme, "clocked");
    const now = freeze();
    await set({ level: "agent", subject: "clocked", per: "minute", limit: 1 });
    await set({ level: "agent", subject: "clocked", per: "hour", limit: 2 });
    await set({ level: "agent", subject: "clocked", per: "day", limit: 3 });
    const at = async (ms: number) => {
      vi.setSystemTime(now + ms);
      return (await agent.send("hello")).status;
    };
    expect([await at(0), await at(1), await at(60_000), await at(120_000)]).toEqual([
      200, 429, 200, 429,
    ]);
    expect([await at(3_600_000), await at(3_660_000), await at(90_000_000)]).toEqual([
      200, 429, 200,
    ]);
  });

  it("F36: of a key is counted over all agents, and for that key alone", async () => {
    const agents = await several(acme, "keys", 2);
    const secret = await newKey(acme);
    const page = await acme.json<{ data: { id: string; start: string }[] }>(
      "/v1/keys?limit=100",
      200,
    );
    const id = page.data.find(({ start }) => secret.startsWith(start))?.id;
    freeze();
    await set({ level: "key", subject: id, per: "minute", limit: 3 });
    const sent = Array.from({ length: 10 }, (_, i) =>
      (agents[i % 2] ?? missing()).send("hello", { as: secret }),
    );
    expect(await statusesOf(sent)).toEqual({ 200: 3, 429: 7 });
    expect(await statusesOf(spread(agents, 4))).toEqual({ 200: 4 });
  });

  it("F175: for each caller is each caller's own", async () => {
    const agent = await liveAgent(acme, "callers");
    freeze();
    const limit = await set({ level: "user", subject: "*", per: "minute", limit: 2 });
    const as = (user_id: string) => agent.send("hello", { body: { metadata: { user_id } } });
    const sent = Array.from({ length: 10 }, (_, i) => as(i % 2 === 0 ? "ada" : "bob"));
    expect(await statusesOf(sent)).toEqual({ 200: 4, 429: 6 });
    expect(new Map((await useOf(limit)).map((use) => [use.subject, use.used]))).toEqual(
      new Map([
        ["ada", 2],
        ["bob", 2],
      ]),
    );
  });

  it("F175, F178: of concurrency counts what is open, and gives places back, also of a dead object", async () => {
    const agents = await several(acme, "busy", 2);
    const limit = await set({ level: "tenant", per: "concurrency", limit: 3 });
    const sent = Array.from({ length: 12 }, (_, i) =>
      (agents[i % 2] ?? missing()).send("[[hold]]", { prefer: "respond-async" }),
    );
    const answers = await Promise.all(sent);
    expect(answers.map(({ status }) => status).filter((status) => status === 202)).toHaveLength(3);
    expect(await useOf(limit)).toMatchObject([{ used: 3, left: 0, since: null }]);
    for (const agent of agents) {
      const abort = runInDurableObject(agent.stub(), (_object, state) => state.abort("crash"));
      await abort.catch(() => undefined);
    }
    expect(await useOf(limit)).toMatchObject([{ used: 3 }]);
    for (const agent of agents) {
      for (const { id } of await agent.rows<{ id: string }>("SELECT id FROM invocation")) {
        await agent.cancel(id);
      }
    }
    expect(await useOf(limit)).toMatchObject([{ used: 0, left: 3 }]);
    await release(MODEL_SERVER);
    expect(await statusesOf(spread(agents, 3))).toEqual({ 200: 3 });
  });

  it("G8: a refusal burns no key and a replay counts nothing, over an eviction too", async () => {
    const agent = await liveAgent(acme, "evicted");
    freeze();
    await set({ level: "tenant", per: "day", limit: 2 });
    await agent.ask("one", { key: "one" });
    await evictDurableObject(agent.stub());
    await evictDurableObject(env.TENANT_GATE.getByName(gateName(acme.id)));
    for (let n = 0; n < 3; n += 1)
      expect((await agent.send("one", { key: "one" })).status).toBe(200);
    await agent.ask("two", { key: "two" });
    expect((await agent.send("three", { key: "three" })).status).toBe(429);
    expect(await agent.rows("SELECT id FROM invocation")).toHaveLength(2);
  });

  it("G7: of one tenant is nobody else's", async () => {
    const theirs = await liveAgent(globex, "theirs");
    await set({ level: "tenant", per: "day", limit: 0 });
    expect((await theirs.send("hello")).status).toBe(200);
  });

  it("costs an agent that none concerns nothing: no row, and no call to the gate", async () => {
    const agent = await liveAgent(acme, "plain");
    await set({
      level: "agent",
      subject: (await liveAgent(acme, "other-one")).id,
      per: "day",
      limit: 1,
    });
    await agent.ask("hello");
    expect(await agent.rows("SELECT * FROM lease")).toEqual([]);
    expect(await agent.rows("SELECT * FROM reservation")).toEqual([]);
  });
});

describe("a kill switch", () => {
  const LEVELS = ["tenant", "project", "key", "agent", "user"] as const;

  it.each(LEVELS)("K5: of a %s ends what is in flight and lets nothing begin", async (level) => {
    const agent = await liveAgent(acme, `stop-${level}`);
    const body = { metadata: { user_id: "mallory" } };
    const { id } = await agent.start("[[hang]]", { body });
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 1);
    const { project_id } = await acme.json<{ project_id: string }>(`/v1/agents/${agent.id}`, 200);
    const subject = {
      tenant: undefined,
      project: project_id,
      key: acme.keyId,
      agent: agent.slug,
      user: "mallory",
    }[level];
    const stop = await throwStop({ level, subject, reason: "It ran away." });
    expect(stop.reached_at).not.toBeNull();
    // Ended by the time the stop is answered: nothing is waited for here.
    expect(await agent.get(id)).toMatchObject({
      status: "failed",
      error: { code: "stopped", detail: `${stop.id}: It ran away.` },
    });
    expect((await agent.get(id)).cost_micros).toBeGreaterThan(0);
    const refused = await agent.send("hello", { body });
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ code: "stopped" });
    await acme.ask(`/v1/stops/${stop.id}`, { method: "DELETE" });
    expect((await agent.send("hello", { body })).status).toBe(200);
  });

  it("K5: of one user leaves others alone", async () => {
    const agent = await liveAgent(acme, "stop-others");
    const { id } = await agent.start("[[hold]]", { body: { metadata: { user_id: "ada" } } });
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 1);
    await throwStop({ level: "user", subject: "mallory", reason: "Fraud." });
    await release(MODEL_SERVER);
    expect(await agent.ended(id)).toMatchObject({ status: "succeeded" });
  });

  it("K5: that did not reach an object is told to it by the sweep", async () => {
    const agent = await liveAgent(acme, "stop-late");
    const { id } = await agent.start("[[hang]]");
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 1);
    const stop = await throwStop({ level: "user", subject: "nobody", reason: "Later." });
    await env.DB.prepare(
      "UPDATE stop SET level = 'agent', subject = ?, reached_at_ms = NULL WHERE id = ?",
    )
      .bind(agent.id, stop.id)
      .run();
    await sweep({ cron: "* * * * *" }, env);
    expect(await agent.get(id)).toMatchObject({ status: "failed", error: { code: "stopped" } });
    expect(await acme.json<Stop>(`/v1/stops/${stop.id}`, 200)).toMatchObject({
      reached_at: expect.any(String) as unknown,
    });
  });
});

function missing(): never {
  throw new Error("no such agent");
}
