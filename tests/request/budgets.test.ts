/** Money reserved before it is spent (K5): exact under parallel load, over agents, over a crash. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Budget, BudgetUse } from "../../core/budgets/contract.ts";
import type { Invocation } from "../../core/invocations/contract.ts";
import { gateName } from "../../durable-objects/tenant-gate/contract.ts";
import {
  FAR_SIDE,
  MODEL_SERVER,
  type TestAgent,
  addProvider,
  liveAgent,
  release,
  seenBy,
} from "../fixtures/agent-runs.ts";
import { newPerson } from "../fixtures/people.ts";
import { type TestTenant, deliver, newKey, newWorld } from "../fixtures/world.ts";

/** A call of it costs one micro-USD, at the worst and when it is done. */
const CHEAP = { model: "openai/gpt-5-nano", parameters: { max_output_tokens: 2 } };

let acme: TestTenant;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
});
afterEach(async () => {
  vi.useRealTimers();
  for (const noun of ["budgets", "stops", "limits"]) {
    const page = await acme.json<{ data: { id: string; revision?: number }[] }>(`/v1/${noun}`, 200);
    for (const { id, revision = 1 } of page.data) {
      const headers = { "if-match": `"${revision}"` };
      await acme.ask(`/v1/${noun}/${id}`, { method: "DELETE", headers });
    }
  }
});

const set = (json: object) => acme.json<Budget>("/v1/budgets", 201, { json });
const useOf = async ({ id }: Budget, query = "") =>
  (await acme.json<{ data: BudgetUse[] }>(`/v1/budgets/${id}/use${query}`, 200)).data;

async function countOf(sent: readonly Promise<Response>[]): Promise<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (const answer of await Promise.all(sent)) {
    counts[answer.status] = (counts[answer.status] ?? 0) + 1;
    await answer.text();
  }
  return counts;
}

describe("a budget", () => {
  it("K5: of 10 carries exactly 10 of 100 at once that cost 1, and sums to the micro-unit", async () => {
    const agents: TestAgent[] = [];
    for (const name of ["one", "two", "three", "four"]) {
      agents.push(await liveAgent(acme, `race-${name}`, CHEAP));
    }
    const budget = await set({ level: "tenant", period: "total", amount_micros: 10 });
    const sent = Array.from({ length: 100 }, (_, n) => agents[n % 4]?.send("a") ?? missing());
    expect(await countOf(sent)).toEqual({ 200: 10, 402: 90 });
    expect(await useOf(budget)).toMatchObject([
      { spent_micros: 10, reserved_micros: 0, left_micros: 0, resets_at: null },
    ]);
    const rows = await Promise.all(
      agents.map((agent) =>
        agent.rows<{ cost: number }>("SELECT sum(cost_micros) AS cost FROM invocation"),
      ),
    );
    expect(rows.flat().reduce((sum, { cost }) => sum + (cost ?? 0), 0)).toBe(10);
  });

  it("K5: reserves the worst case: while 3 run that might use it up, a fourth is refused", async () => {
    const agent = await liveAgent(acme, "reserving");
    const budget = await set({
      level: "agent",
      subject: "reserving",
      period: "day",
      amount_micros: 3030,
    });
    const sent = Array.from({ length: 20 }, () =>
      agent.send("[[hold]]", { prefer: "respond-async" }),
    );
    expect(await countOf(sent)).toEqual({ 202: 3, 402: 17 });
    const [held] = await useOf(budget);
    expect(held).toMatchObject({ spent_micros: 0 });
    expect(held?.reserved_micros).toBeGreaterThan(3000);
    const refused = await agent.send("hello");
    expect(refused.status).toBe(402);
    expect(await refused.json()).toMatchObject({
      code: "budget_exceeded",
      detail: expect.stringContaining(budget.id) as unknown,
      quotas: [{ name: budget.id, limit: 3030, period_seconds: 86_400 }],
    });
    const ids = await agent.rows<{ id: string }>("SELECT id FROM invocation");
    for (const { id } of ids) await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 1);
    await release(MODEL_SERVER);
    let cost = 0;
    for (const { id } of ids) cost += (await agent.ended(id)).cost_micros;
    expect(await useOf(budget)).toMatchObject([{ spent_micros: cost, reserved_micros: 0 }]);
    expect((await agent.send("hello")).status).toBe(200);
  });

  it("K5: a crash between reserving and settling frees nothing early and keeps nothing for good", async () => {
    const agent = await liveAgent(acme, "crashing");
    const budget = await set({ level: "tenant", period: "month", amount_micros: 1500 });
    const { id } = await agent.start("[[hang]]");
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 1);
    const other = await liveAgent(acme, "beside");
    expect((await other.send("hello")).status).toBe(402);
    await runInDurableObject(agent.stub(), (_object, state) => state.abort("crash")).catch(
      () => undefined,
    );
    expect((await other.send("hello")).status).toBe(402);
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 2);
    await agent.cancel(id);
    const { cost_micros: cost } = await agent.get(id);
    expect(cost).toBeGreaterThan(0); // lost sends are taken to have cost their input
    expect(await useOf(budget)).toMatchObject([{ spent_micros: cost, reserved_micros: 0 }]);
    expect((await other.send("hello")).status).toBe(200);
  });

  it("K5: holds a run at the step that it does not carry, and says so", async () => {
    const tool = { kind: "http", name: "book", description: "Books.", url: `${FAR_SIDE}/book` };
    const agent = await liveAgent(acme, "stepping", { tools: [tool] });
    const budget = await set({
      level: "agent",
      subject: agent.id,
      period: "total",
      amount_micros: 1070,
    });
    const done = await agent.ask("[[tool-call]] book {}");
    expect(done).toMatchObject({ status: "failed", error: { code: "budget_exceeded" } });
    expect(done.error?.detail).toContain(budget.id);
    expect(await seenBy(MODEL_SERVER, { key: `${done.id}/model.1` })).toEqual([]);
    expect(await useOf(budget)).toMatchObject([
      { spent_micros: done.cost_micros, reserved_micros: 0 },
    ]);
  });

  it("F176: of one invocation bounds each", async () => {
    const agent = await liveAgent(acme, "each-one");
    await set({ level: "tenant", period: "invocation", amount_micros: 900 });
    expect((await agent.send("hello")).status).toBe(402);
  });

  it("F176: for each user is each user's own, and a person's credential speaks for no other", async () => {
    const agent = await liveAgent(acme, "users", CHEAP);
    const budget = await set({ level: "user", subject: "*", period: "day", amount_micros: 2 });
    const as = (user: string) => agent.send("a", { body: { metadata: { user_id: user } } });
    for (const user of ["ada", "bob"]) {
      expect(await countOf(Array.from({ length: 5 }, () => as(user)))).toEqual({ 200: 2, 402: 3 });
    }
    const uses = await useOf(budget);
    expect(new Map(uses.map((use) => [use.subject, use.spent_micros]))).toEqual(
      new Map([
        ["ada", 2],
        ["bob", 2],
      ]),
    );
    expect(await useOf(budget, "?subject=bob")).toHaveLength(1);
    const person = await newPerson(acme, "developer");
    const wanted = { json: { name: "own", scopes: ["agents:invoke"] } };
    const made = await person.ask("/v1/users/me/api-keys", wanted);
    const { secret: personal } = await made.json<{ secret: string }>();
    const other = { json: { input: "a", metadata: { user_id: "ada" } }, as: personal };
    const refused = await acme.ask("/a/users/invoke", other);
    expect(refused.status).toBe(422);
    const inputs = [{ input: "a", metadata: { user_id: "ada" } }];
    const batch = { json: { agent: "users", inputs }, as: personal };
    expect((await acme.ask("/v1/batches", batch)).status).toBe(422);
    const own = await acme.json<Invocation>("/a/users/invoke", 200, {
      json: { input: "a" },
      as: personal,
    });
    expect(own.metadata).toEqual({ user_id: person.id });
    const eves = { json: { input: "a", metadata: { user_id: "eve", order: "7" } } };
    const { id } = await acme.json<Invocation>("/a/users/invoke", 200, eves);
    const fork = await person.ask(`/v1/invocations/${id}/fork`, { json: {} });
    const { metadata } = await fork.json<Invocation>();
    expect([fork.status, metadata]).toEqual([202, { user_id: person.id, order: "7" }]);
  });

  it("F176: of a key is that key's alone", async () => {
    const agent = await liveAgent(acme, "keyed", CHEAP);
    const secret = await newKey(acme);
    const { data } = await acme.json<{ data: { id: string; start: string }[] }>(
      "/v1/keys?limit=100",
      200,
    );
    const id = data.find(({ start }) => secret.startsWith(start))?.id ?? "";
    await set({ level: "key", subject: id, period: "day", amount_micros: 1 });
    expect((await agent.send("a", { as: secret })).status).toBe(200);
    expect((await agent.send("a", { as: secret })).status).toBe(402);
    expect((await agent.send("a")).status).toBe(200);
  });

  it("F176: begins anew with its period", async () => {
    const agent = await liveAgent(acme, "daily", CHEAP);
    const budget = await set({
      level: "agent",
      subject: agent.id,
      period: "day",
      amount_micros: 1,
    });
    expect((await agent.send("a")).status).toBe(200);
    const refused = await agent.send("a");
    const { quotas } = await refused.json<{ quotas: { reset_seconds: number }[] }>();
    expect(refused.status).toBe(402);
    vi.useFakeTimers({
      toFake: ["Date"],
      now: Date.now() + (quotas[0]?.reset_seconds ?? 0) * 1000,
    });
    expect((await agent.send("a")).status).toBe(200);
    expect((await useOf(budget)).map(({ spent_micros }) => spent_micros)).toEqual([1, 1]);
  });

  it("K5: raised takes effect at once, lowered as well, and what others lie on is taken back", async () => {
    const one = await liveAgent(acme, "raised-one", CHEAP);
    const two = await liveAgent(acme, "raised-two", CHEAP);
    const budget = await set({ level: "tenant", period: "total", amount_micros: 100 });
    expect((await one.send("a")).status).toBe(200); // and holds some ahead
    const patch = (revision: number, amount_micros: number) =>
      acme.json(`/v1/budgets/${budget.id}`, 200, {
        method: "PATCH",
        headers: { "if-match": `"${revision}"` },
        json: { amount_micros },
      });
    await patch(1, 1);
    expect((await one.send("a")).status).toBe(402);
    expect((await two.send("a")).status).toBe(402);
    await patch(2, 2);
    expect((await two.send("a")).status).toBe(200);
    expect((await one.send("a")).status).toBe(402);
  });

  it("K5: warns once when a threshold is reached, in its use and in the trail", async () => {
    const agent = await liveAgent(acme, "warned", CHEAP);
    const warn = { amount_micros: 4, warn_at_percent: [50, 100] };
    const budget = await set({ level: "agent", subject: agent.id, period: "total", ...warn });
    for (let n = 0; n < 3; n += 1) await agent.ask("a");
    expect((await useOf(budget))[0]?.warnings).toMatchObject([{ percent: 50 }]);
    await agent.ask("a");
    expect((await useOf(budget))[0]?.warnings).toMatchObject([{ percent: 50 }, { percent: 100 }]);
    await runInDurableObject(env.TENANT_GATE.getByName(gateName(acme.id)), (gate) =>
      gate.report(acme.id, "", []),
    );
    const { results } = await env.DB.prepare(
      "SELECT detail FROM audit WHERE action = 'budget.threshold_reached' AND resource_id = ? ORDER BY id",
    )
      .bind(budget.id)
      .all<{ detail: string }>();
    expect(
      results.map(({ detail }) => (JSON.parse(detail) as { percent: number }).percent),
    ).toEqual(expect.arrayContaining([50, 100]));
    expect(results).toHaveLength(2);
  });
});

describe("a tool's price", () => {
  const tool = {
    kind: "http",
    name: "book",
    description: "Books.",
    url: `${FAR_SIDE}/book`,
    price_micros: 5000,
  };

  it("K5: is reserved before the call, charged with its answer, and in the ledger", async () => {
    const agent = await liveAgent(acme, "priced", { tools: [tool] });
    const aim = { level: "agent", subject: agent.id } as const;
    const budget = await set({ ...aim, period: "total", amount_micros: 10_000 });
    const done = await agent.ask("[[tool-call]] book {}");
    expect(done.status).toBe("succeeded");
    expect(done.cost_micros).toBeGreaterThan(5000);
    expect(await useOf(budget)).toMatchObject([{ spent_micros: done.cost_micros }]);
    const [, called] = await agent.steps(done.id);
    expect(called).toMatchObject({ kind: "tool", cost_micros: 5000 });
    const again = await agent.ask("[[tool-call]] book {}");
    expect(again).toMatchObject({ status: "failed", error: { code: "budget_exceeded" } });
    expect(await seenBy(FAR_SIDE, { key: `${again.id}/tool.0#0` })).toEqual([]);
    await deliver("berth-ledger", [agent.owner]);
    const { data } = await acme.json<{ data: { cost_micros: number }[] }>(
      `/v1/usage?invocation=${done.id}`,
      200,
    );
    const owed = data.reduce((sum, { cost_micros }) => sum + cost_micros, 0);
    expect(owed).toBe(done.cost_micros);
    const use = await useOf(budget);
    expect(use[0]?.spent_micros).toBe(done.cost_micros + again.cost_micros);
    expect(again.cost_micros).toBeGreaterThan(0); // the model was asked, and is paid for
  });

  it("K5: counts for what one invocation may cost", async () => {
    const agent = await liveAgent(acme, "priced-bound", { tools: [tool] });
    const done = await agent.ask("[[tool-call]] book {}", { body: { max_cost_micros: 4000 } });
    expect(done).toMatchObject({ status: "failed", error: { code: "budget_exceeded" } });
    expect(await seenBy(FAR_SIDE, { key: `${done.id}/tool.0#0` })).toEqual([]);
  });
});

describe("a run whose budget waits", () => {
  it("K5: goes on where it stood when the next period begins, and holds nothing meanwhile", async () => {
    const tool = { kind: "http", name: "book", description: "Books.", url: `${FAR_SIDE}/book` };
    const agent = await liveAgent(acme, "waiting", { tools: [tool] });
    const rest = { period: "day", amount_micros: 1070, when_exhausted: "wait" } as const;
    const budget = await set({ level: "agent", subject: agent.id, ...rest });
    const response = await agent.send("[[tool-call]] book {}");
    expect(response.status).toBe(202);
    const { id } = await response.json<Invocation>();
    expect(await agent.get(id)).toMatchObject({ status: "waiting" });
    const [use] = await useOf(budget);
    expect(use).toMatchObject({ reserved_micros: 0 });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.parse(use?.resets_at ?? "") + 1000 });
    await runDurableObjectAlarm(agent.stub());
    expect(await agent.ended(id)).toMatchObject({ status: "succeeded", usage: { tool_calls: 1 } });
    expect(await seenBy(FAR_SIDE, { key: `${id}/tool.0#0` })).toHaveLength(1);
  });
});

describe("usage", () => {
  it("F177: sums exactly by key, project and user", async () => {
    const agent = await liveAgent(acme, "summed", CHEAP);
    const done: Invocation[] = [];
    for (const user_id of ["carol", "carol", "dan"]) {
      done.push(await agent.ask("a", { body: { metadata: { user_id } } }));
    }
    await deliver("berth-ledger", [agent.owner]);
    const totals = async (by: string) =>
      (
        await acme.json<{ data: { key: string; cost_micros: number; invocations: number }[] }>(
          `/v1/usage/totals?by=${by}&agent=summed`,
          200,
        )
      ).data.map(({ key, cost_micros, invocations }) => [key, cost_micros, invocations]);
    expect(await totals("user")).toEqual([
      ["carol", 2, 2],
      ["dan", 1, 1],
    ]);
    const all = done.reduce((sum, { cost_micros }) => sum + cost_micros, 0);
    expect(await totals("key")).toEqual([[acme.keyId, all, 3]]);
    expect(await totals("project")).toEqual([[expect.stringMatching(/^prj_/), all, 3]]);
  });
});

function missing(): never {
  throw new Error("no such agent");
}
