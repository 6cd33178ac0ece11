/** Upstreams that fail: runs wait for them, in order, and burn nothing meanwhile (F98, G6). */
import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { AgentCondition } from "../../core/agents/contract.ts";
import {
  FAR_SIDE,
  MODEL_SERVER,
  type TestAgent,
  addProvider,
  liveAgent,
  namesOf,
  readUntil,
  seenBy,
} from "../fixtures/agent-runs.ts";
import { type TestTenant, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
});
afterEach(() => {
  vi.useRealTimers();
});

const breaker = { failures: 3, open_ms: 60_000, cap_ms: 120_000 };
const retry = { attempts: 20, base_ms: 1, cap_ms: 1 };

type Health = { readonly data: readonly AgentCondition[] };
type Row = { readonly id: string; readonly status: string; readonly failures: number };

const rowsOf = (agent: TestAgent) =>
  agent.rows<Row>("SELECT id, status, failures FROM invocation ORDER BY id");

/** What the breaker's row says; undefined while it is closed. */
async function open(agent: TestAgent): Promise<{ readonly probe_ms: number } | undefined> {
  const [row] = await agent.rows<{ probe_ms: number }>("SELECT probe_ms FROM breaker");
  return row;
}

/** Sent and not waited for: as it is once it waits for its upstream. */
async function parked(agent: TestAgent, input: string): Promise<string> {
  const { id } = await agent.start(input);
  for (;;) {
    const { status } = await agent.get(id);
    if (status === "waiting") return id;
    if (status !== "running" && status !== "accepted") throw new Error(`it has ${status}`);
    await runDurableObjectAlarm(agent.stub());
  }
}

/** The clock stands at the next probe, and the alarm rings. */
async function probe(agent: TestAgent): Promise<void> {
  const row = await open(agent);
  vi.useFakeTimers({ toFake: ["Date"], now: (row?.probe_ms ?? 0) + 1 });
  await runDurableObjectAlarm(agent.stub());
}

const askedOf = async (id: string) => (await seenBy(MODEL_SERVER, { key: `${id}/model.0` })).length;

describe("a provider that fails", () => {
  it("F98, G6: is left alone after so many failures, and what comes then waits for nothing", async () => {
    const agent = await liveAgent(acme, "waits", { breaker, retry });
    const first = await parked(agent, "[[flaky-3]] one");
    expect(await askedOf(first)).toBe(3);
    const answer = await agent.send("two");
    const second = await answer.json<{ id: string; status: string }>();
    expect([answer.status, second.status]).toEqual([202, "waiting"]);
    expect(await askedOf(second.id)).toBe(0);
    const told = await agent.rows<{ body: string }>(
      "SELECT body FROM event WHERE invocation_id = ? ORDER BY seq DESC LIMIT 1",
      second.id,
    );
    const due_at = new Date((await open(agent))?.probe_ms ?? 0).toISOString();
    expect(JSON.parse(told[0]?.body.slice(1) ?? "")).toEqual([
      ["invocation.waiting", { reason: "upstream", upstream: "model/openai", due_at }],
    ]);

    const health = () => acme.json<Health>(`/v1/agents/${agent.id}/health`, 200);
    const shut = { upstream: "model/openai", failures: 3, probe_at: due_at, parked: 2 };
    expect((await health()).data[0]?.breakers).toEqual([shut]);

    await probe(agent);
    expect((await agent.ended(first)).status).toBe("succeeded");
    expect(await agent.ended(second.id)).toMatchObject({ status: "succeeded" });
    expect(await open(agent)).toBeUndefined();
    expect((await health()).data[0]?.breakers).toEqual([]);
    expect(await agent.rows("SELECT * FROM parked")).toEqual([]);
    // Waiting burnt nothing: three real failures of the first, none of the second.
    expect((await rowsOf(agent)).map(({ failures }) => failures)).toEqual([3, 0]);
  });

  it("F98: is probed by one call at a time, each by another run, and the rest follow in order", async () => {
    const agent = await liveAgent(acme, "probed", { breaker, retry });
    const poison = await parked(agent, "[[status-500]] poison");
    const ids = [];
    for (const input of ["a", "b", "c"]) ids.push(await parked(agent, input));
    await probe(agent);
    await seenBy(MODEL_SERVER, { key: `${poison}/model.0` }, 4);
    await vi.waitUntil(async () => (await agent.get(poison)).status === "waiting");
    for (const id of ids) expect(await askedOf(id)).toBe(0);
    expect((await open(agent))?.probe_ms).toBeGreaterThan(Date.now() + 60_000);

    await probe(agent);
    for (const id of ids) expect((await agent.ended(id)).status).toBe("succeeded");
    const order = await Promise.all(
      ids.map(async (id) => (await seenBy(MODEL_SERVER, { key: `${id}/model.0` }))[0]?.seq ?? 0),
    );
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    await agent.cancel(poison);
  });

  it("F98: lets all that is parked go on at once when it is back, however much it is", async () => {
    const agent = await liveAgent(acme, "crowded", { breaker, retry });
    await parked(agent, "[[flaky-3]] first");
    const sent = Array.from({ length: 70 }, (_, n) => agent.start(`crowd ${n}`));
    const ids = (await Promise.all(sent)).map(({ id }) => id);
    await probe(agent);
    const ends = await Promise.all(ids.map((id) => agent.ended(id)));
    expect(new Set(ends.map(({ status }) => status))).toEqual(new Set(["succeeded"]));
    const sends = await Promise.all(ids.map((id) => askedOf(id)));
    expect(new Set(sends)).toEqual(new Set([1]));
  });

  it("F98: is still left alone by an object that was evicted, and probed without anybody calling", async () => {
    const agent = await liveAgent(acme, "evicted", { breaker, retry });
    const id = await parked(agent, "[[flaky-3]] one");
    await evictDurableObject(agent.stub());
    await runDurableObjectAlarm(agent.stub());
    expect(await askedOf(id)).toBe(3);
    expect((await agent.get(id)).status).toBe("waiting");
    await probe(agent);
    expect((await agent.ended(id)).status).toBe("succeeded");
  });

  it("F98: is probed at once when somebody restarts the agent", async () => {
    const agent = await liveAgent(acme, "restarted", { breaker, retry });
    const id = await parked(agent, "[[flaky-3]] one");
    await acme.json(`/v1/agents/${agent.id}/restart`, 200, { method: "POST" });
    await runDurableObjectAlarm(agent.stub());
    expect((await agent.ended(id)).status).toBe("succeeded");
  });

  it("F98: whose probe broke off in its words has readers drop them", async () => {
    const once = { ...breaker, failures: 1 };
    const agent = await liveAgent(acme, "breaks-off", { breaker: once, retry });
    const headers = { accept: "text/event-stream" };
    const stream = await readUntil(
      await agent.send("[[close-midstream]]", { headers }),
      "invocation.waiting",
    );
    const id = String(stream[0]?.data["invocation_id"]);
    await vi.waitUntil(async () => (await agent.get(id)).status === "waiting");
    const before = await askedOf(id);
    await probe(agent);
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, before + 1);
    await vi.waitUntil(async () => (await agent.get(id)).status === "waiting");
    await agent.cancel(id);
    const names = namesOf(await agent.events(id));
    const spoken = names.lastIndexOf("message.delta");
    expect(spoken).toBeGreaterThan(0);
    expect(names.slice(spoken)).toContain("run.restarted");
  });

  it("F98: gives way to the next of the list", async () => {
    await addProvider(acme, "spare");
    const models = { model: "openai/status-500", fallback: ["spare/echo"] };
    const agent = await liveAgent(acme, "spared", { breaker, retry, ...models });
    for (const input of ["1", "2", "3"]) {
      expect(await askedOf((await agent.ask(input)).id)).toBe(1);
    }
    const { id, output } = await agent.ask("straight to the spare");
    expect(await askedOf(id)).toBe(0);
    expect(output?.text).toContain("straight to the spare");
  });

  it("F98: is not waited for longer than the retry policy says", async () => {
    const patience = { ...retry, max_ms: 3_600_000 };
    const agent = await liveAgent(acme, "patient", { breaker, retry: patience });
    await parked(agent, "[[status-500]] poison");
    const id = await parked(agent, "later");
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_700_000 });
    await agent.rows("UPDATE breaker SET probe_ms = ?", Date.now() + 60_000);
    await evictDurableObject(agent.stub());
    await runDurableObjectAlarm(agent.stub());
    expect(await agent.ended(id)).toMatchObject({
      status: "dead",
      error: { code: "upstream_failed", detail: "model/openai was not back in time" },
    });
    expect(await askedOf(id)).toBe(0);
  });

  it("F98: is left alone no more once somebody who waited was cancelled", async () => {
    const agent = await liveAgent(acme, "cancelled", { breaker, retry });
    const first = await parked(agent, "[[status-500]] one");
    const second = await parked(agent, "two");
    expect((await agent.cancel(first)).status).toBe(200);
    await probe(agent);
    expect((await agent.ended(second)).status).toBe("succeeded");
  });
});

describe("a tool's upstream that fails", () => {
  it("F98: is waited for where the tool says so, and its call is made once it is back", async () => {
    const tools = [
      {
        kind: "http",
        name: "try",
        description: "Tries.",
        method: "POST",
        url: `${FAR_SIDE}/flaky-3`,
        idempotent: true,
        retry: { attempts: 10, base_ms: 1, cap_ms: 1 },
        breaker,
      },
    ];
    const agent = await liveAgent(acme, "tooled", { tools });
    const first = await parked(agent, "[[tool-call]] try {}");
    const second = await parked(agent, "[[tool-call]] try {}");
    const state = async (id: string) => (await agent.steps(id)).at(-1)?.state;
    expect([await state(first), await state(second)]).toEqual(["planned", "planned"]);
    await probe(agent);
    expect(await agent.ended(first)).toMatchObject({ status: "succeeded" });
    expect(await seenBy(FAR_SIDE, { key: `${second}/tool.0#0` })).not.toHaveLength(0);
  });
});

describe("a retry policy", () => {
  it("F69, F98: tries again only after what it names", async () => {
    const only = { ...retry, attempts: 3, on: ["timeout"] };
    const agent = await liveAgent(acme, "choosy", { retry: only });
    const done = await agent.ask("[[status-500]]");
    expect(done).toMatchObject({ status: "failed", attempts: 1 });
    const any = await liveAgent(acme, "lenient", { retry: { ...only, on: ["server_error"] } });
    expect(await any.ask("[[flaky-2]]")).toMatchObject({ status: "succeeded", attempts: 3 });
  });

  it("F98: begins no attempt after its time", async () => {
    const policy = { policy: "fixed", attempts: 20, base_ms: 60_000, jitter: "none", max_ms: 1000 };
    const agent = await liveAgent(acme, "timed", { retry: policy });
    const done = await agent.ask("[[status-500]]");
    expect(done).toMatchObject({ status: "dead", attempts: 1 });
  });

  it("F98: waits as long as the far side asks", async () => {
    const policy = { policy: "fixed", attempts: 3, base_ms: 1, cap_ms: 60_000 };
    const agent = await liveAgent(acme, "polite", { retry: policy });
    const { id } = await agent.start("[[limited-1]]");
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 1);
    await vi.waitUntil(async () => (await agent.get(id)).status === "accepted");
    const [row] = await agent.rows<{ due_ms: number; created_ms: number }>(
      "SELECT due_ms, created_ms FROM invocation WHERE id = ?",
      id,
    );
    expect((row?.due_ms ?? 0) - (row?.created_ms ?? 0)).toBeGreaterThanOrEqual(1000);
    await agent.cancel(id);
  });
});
