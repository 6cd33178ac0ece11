/** What one agent admits, what a run may cost, how much it carries; and when its alarm is set. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import type { Invocation } from "../../core/invocations/contract.ts";
import { BEAT_MS } from "../../durable-objects/agent-runtime/alarm.ts";
import type { LedgerEntry } from "../../durable-objects/agent-runtime/contract.ts";
import { tally } from "../../durable-objects/counters.ts";
import { runtimeOf } from "../../workers/api/runtime.ts";
import {
  FAR_SIDE,
  MODEL_SERVER,
  type TestAgent,
  addProvider,
  liveAgent,
  readUntil,
  release,
  seenBy,
} from "../fixtures/agent-runs.ts";
import { type TestTenant, deliver, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
});

const TABLES = ["invocation", "session", "step", "event", "content"];
/** Every row of the object, to see that a refusal wrote none. */
async function everything(agent: TestAgent): Promise<unknown> {
  const tables = TABLES.map((table) => agent.rows(`SELECT * FROM ${table}`));
  return Promise.all(tables);
}

describe("requests a minute", () => {
  it("G8: are admitted exactly, from 30 at once, and told when to come back", async () => {
    const agent = await liveAgent(acme, "rated", { limits: { requests_per_minute: 3 } });
    const sent = await Promise.all(Array.from({ length: 30 }, () => agent.send("hello")));
    const statuses = sent.map(({ status }) => status).toSorted((a, b) => a - b);
    const admitted = statuses.filter((status) => status === 200).length;
    // A minute's three at once; a fourth only where twenty seconds went by meanwhile.
    expect(admitted).toBe(3);
    expect(statuses.slice(3)).toEqual(Array.from({ length: 27 }, () => 429));
    const refused = sent.find(({ status }) => status === 429);
    const seconds = Number(refused?.headers.get("retry-after"));
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThanOrEqual(20);
    expect(await agent.rows("SELECT id FROM invocation")).toHaveLength(3);
  });

  it("a refusal writes nothing and burns no key; a replay takes nothing", async () => {
    const agent = await liveAgent(acme, "strict", { limits: { requests_per_minute: 1 } });
    await agent.ask("first", { key: "first" });
    const before = await everything(agent);
    for (let n = 0; n < 5; n += 1) {
      expect((await agent.send("second", { key: "second" })).status).toBe(429);
      expect((await agent.send("first", { key: "first" })).status).toBe(200);
    }
    expect(await everything(agent)).toEqual(before);
    // As if a minute had passed; an object that wakes asks its rows.
    await agent.rows("UPDATE invocation SET tat_us = 0");
    await evictDurableObject(agent.stub());
    expect(await agent.ask("second", { key: "second" })).toMatchObject({ status: "succeeded" });
  });

  it("of 0 admit nothing, and no wait is told: it would not help", async () => {
    const agent = await liveAgent(acme, "shut", { limits: { requests_per_minute: 0 } });
    const refused = await agent.send("hello");
    expect(refused.status).toBe(429);
    expect(refused.headers.has("retry-after")).toBe(false);
  });

  it("A2: leave nothing due when they refuse", async () => {
    const agent = await liveAgent(acme, "quiet", { limits: { requests_per_minute: 0 } });
    await agent.send("hello");
    expect(await alarmOf(agent)).toBeNull();
  });
});

describe("the queue's depth", () => {
  it("is what is open at once; above it 503, and room again when one ends", async () => {
    const agent = await liveAgent(acme, "deep", { limits: { queue_depth: 3 } });
    const open = await Promise.all([1, 2, 3].map((n) => agent.start(`[[hold]] ${n}`)));
    const before = await everything(agent);
    const refused = await agent.send("more", { key: "more" });
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await refused.json()).toMatchObject({ code: "overloaded" });
    expect(await everything(agent)).toEqual(before);
    for (const { id } of open) await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 1);
    await release(MODEL_SERVER);
    for (const { id } of open) await agent.events(id);
    expect(await agent.ask("more", { key: "more" })).toMatchObject({ status: "succeeded" });
  });

  it("counts what waits in a session, and gives the place of a cancelled one back", async () => {
    const agent = await liveAgent(acme, "lined", { limits: { queue_depth: 2 } });
    const body = { session_id: "line" };
    const first = await agent.start("[[hang]]", { body });
    const second = await agent.start("second", { body });
    expect((await agent.send("third", { body })).status).toBe(503);
    await agent.cancel(second.id);
    const third = await agent.start("third", { body });
    await agent.cancel(first.id);
    expect(await agent.ended(third.id)).toMatchObject({ status: "succeeded" });
  });
});

describe("what a run may cost", () => {
  it("is refused 402 before anything is written when one call could pass it", async () => {
    const agent = await liveAgent(acme, "poor", { limits: { max_cost_micros: 900 } });
    const before = await everything(agent);
    const refused = await agent.send("hello", { key: "poor" });
    expect(refused.status).toBe(402);
    expect(await refused.json()).toMatchObject({
      code: "budget_exceeded",
      errors: [{ pointer: "/max_cost_micros" }],
    });
    expect(await everything(agent)).toEqual(before);
    expect(await alarmOf(agent)).toBeNull();
  });

  it("is the lower of the caller's bound and the agent's", async () => {
    const agent = await liveAgent(acme, "bounded", { limits: { max_cost_micros: 5000 } });
    expect((await agent.send("hello", { body: { max_cost_micros: 900 } })).status).toBe(402);
    expect((await agent.send("hello", { body: { max_cost_micros: 5000 } })).status).toBe(200);
    const poor = await liveAgent(acme, "bounded-low", { limits: { max_cost_micros: 900 } });
    expect((await poor.send("hello", { body: { max_cost_micros: 5000 } })).status).toBe(402);
  });

  it("ends the run before the step that could pass it, with what is spent told", async () => {
    const tool = { kind: "http", name: "book", description: "Books.", url: `${FAR_SIDE}/book` };
    const agent = await liveAgent(acme, "mid-run", { tools: [tool] });
    // A call may cost 1000 micro-USD of output and its input; the first one spends some of it.
    const done = await agent.ask("[[tool-call]] book {}", { body: { max_cost_micros: 1070 } });
    expect(done).toMatchObject({
      status: "failed",
      error: { code: "budget_exceeded" },
      usage: { model_calls: 1, tool_calls: 1 },
    });
    expect(done.cost_micros).toBeGreaterThan(0);
    expect(done.cost_micros).toBeLessThanOrEqual(1070);
    expect(await seenBy(MODEL_SERVER, { key: `${done.id}/model.1` })).toEqual([]);
  });

  it("counts what a send that was interrupted is taken to have cost, before it sends again", async () => {
    const agent = await liveAgent(acme, "interrupted");
    // One call may cost 1000 of output and 5 of input; a second does not fit once 5 are lost.
    const { id } = await agent.start("[[hang]]", { body: { max_cost_micros: 1005 } });
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 1);
    await runInDurableObject(agent.stub(), (_object, state) => state.abort("interrupted")).catch(
      () => undefined,
    );
    expect(await agent.ended(id)).toMatchObject({
      status: "failed",
      error: { code: "budget_exceeded" },
      cost_micros: 5,
      usage: { input_tokens: 2, output_tokens: 0, estimated: true },
    });
    expect((await agent.steps(id)).map(({ state }) => state)).toEqual(["failed"]);
    expect(await seenBy(MODEL_SERVER, { key: `${id}/model.0` })).toHaveLength(1);
  });
});

/** When the object's alarm comes, or null. */
function alarmOf(agent: TestAgent): Promise<number | null> {
  return runInDurableObject(agent.stub(), (_object, { storage }) => storage.getAlarm());
}

describe("the alarm", () => {
  it("A2: is set while anything is open, no later than the beat", async () => {
    const agent = await liveAgent(acme, "beating");
    const { id } = await agent.start("[[hang]]");
    const at = await alarmOf(agent);
    expect(at).toBeGreaterThan(Date.now());
    expect(at).toBeLessThanOrEqual(Date.now() + BEAT_MS);
    await agent.cancel(id);
  });

  it("A2: is set no later than a retry that is due", async () => {
    const retry = { policy: "fixed", attempts: 2, base_ms: 20_000 };
    const agent = await liveAgent(acme, "retrying", { retry });
    const headers = { accept: "text/event-stream" };
    const told = await readUntil(
      await agent.send("[[status-500]]", { headers }),
      "invocation.waiting",
    );
    const dueMs = Date.parse(String(told.at(-1)?.data["due_at"]));
    expect(await alarmOf(agent)).toBeLessThanOrEqual(dueMs);
    await agent.cancel(String(told[0]?.data["invocation_id"]));
  });

  it("A2: is not due for anything once all is told and acknowledged", async () => {
    const agent = await liveAgent(acme, "resting");
    await agent.ask("hello");
    expect(await alarmOf(agent)).not.toBeNull();
    await deliver("berth-ledger", [agent.owner]);
    expect(await runDurableObjectAlarm(agent.stub())).toBe(true);
    expect(await alarmOf(agent)).toBeNull();
    expect(await runDurableObjectAlarm(agent.stub())).toBe(false);
  });

  it("A2: comes again for what the ledger has not acknowledged", async () => {
    const agent = await liveAgent(acme, "owing");
    await agent.ask("hello");
    await runInDurableObject(agent.stub(), (_object, { storage }) => {
      storage.sql.exec("UPDATE invocation SET pending = 1 WHERE pending = 2");
    });
    await deliver("berth-ledger", [agent.owner]);
    await agent.rows("UPDATE invocation SET pending = 2 WHERE pending = 1");
    expect(await runDurableObjectAlarm(agent.stub())).toBe(true);
    expect(await alarmOf(agent)).toBeGreaterThan(Date.now());
  });

  it("is written once for many invocations, not once for each", async () => {
    const agent = await liveAgent(acme, "thrifty");
    await agent.ask("first");
    const before = tally.alarm_writes;
    for (let n = 0; n < 20; n += 1) await agent.ask(`again ${n}`);
    expect(tally.alarm_writes - before).toBe(0);
  });
});

describe("the ledger", () => {
  it("F96: lists every end and owes every call once, however often it is told", async () => {
    const agent = await liveAgent(acme, "listed");
    const inputs = ["fine", "[[status-401]]", "[[status-500]]"];
    const done = await Promise.all(inputs.map((input) => agent.ask(input)));
    const { id } = await agent.start("[[hang]]");
    await agent.cancel(id);
    await deliver("berth-ledger", [agent.owner, agent.owner]);
    await deliver("berth-ledger", [agent.owner]);
    const listed = await acme.json<{ data: Invocation[] }>(
      "/v1/invocations?agent=listed&limit=100",
      200,
    );
    const ends = new Map(listed.data.map((row) => [row.id, row.status]));
    expect(ends.size).toBe(listed.data.length);
    expect(ends).toEqual(
      new Map([...done.map((one) => [one.id, one.status] as const), [id, "cancelled"]]),
    );
    const usage = await acme.json<{ data: { invocation_id: string; cost_micros: number }[] }>(
      "/v1/usage?limit=100",
      200,
    );
    const owed = usage.data.filter((row) => row.invocation_id === done[0]?.id);
    expect(owed).toMatchObject([{ cost_micros: done[0]?.cost_micros }]);
  });

  it("gives the same entry again until it is acknowledged, and then never", async () => {
    const agent = await liveAgent(acme, "repeating");
    const { id } = await agent.start("[[hold]] entry");
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 1);
    const runtime = runtimeOf(env, agent.owner);
    const page = async (): Promise<readonly LedgerEntry[]> => {
      const answer = await runtime.ledger(agent.owner, 10);
      return answer.ok ? (JSON.parse(answer.page) as LedgerEntry[]) : [];
    };
    expect(await page()).toEqual([]);
    await agent.cancel(id);
    const first = await page();
    expect(first).toMatchObject([{ invocation: { id, status: "cancelled" } }]);
    expect(await page()).toEqual(first);
    const ids = first.map(({ invocation }) => invocation.id);
    await runtime.acknowledge(agent.owner, ids);
    await runtime.acknowledge(agent.owner, ids);
    expect(await page()).toEqual([]);
    await release(MODEL_SERVER);
  });
});

describe("large content", () => {
  it("9 MiB of input are kept in parts, sent whole and read back", async () => {
    const agent = await liveAgent(acme, "large");
    // Two units each: a part that ends in between would break the character.
    const input = `[[length]]${"😀é".repeat((9 * 1024 * 1024) / 6)}`;
    const done = await agent.ask(input, { prefer: "wait=60" });
    expect(done.status).toBe("succeeded");
    const kept = await agent.get(done.id);
    expect(kept.input === input).toBe(true);
    const [request] = await seenBy(MODEL_SERVER, { key: `${done.id}/model.0` });
    expect(request?.body.includes(input)).toBe(true);
    const parts = await agent.rows<{ bytes: number }>(
      "SELECT length(CAST(part AS BLOB)) AS bytes FROM content",
    );
    expect(parts.length).toBeGreaterThan(10);
    expect(Math.max(...parts.map(({ bytes }) => bytes))).toBeLessThan(2_000_000);
  });

  it("an answer of many MiB is kept whole, streamed and plain", async () => {
    const agent = await liveAgent(acme, "wordy");
    const whole = "x".repeat(4 * 1024 * 1024);
    const done = await agent.ask("[[huge-4]]");
    expect(done.output?.text === whole).toBe(true);
    const events = await agent.stream("[[huge-4]]");
    const words = events
      .filter(({ event }) => event === "message.delta")
      .map(({ data }) => data["text"]);
    expect(words.join("") === whole).toBe(true);
    expect(events.at(-2)?.data["text"] === whole).toBe(true);
  });

  it("what is larger than one call within the platform may be is answered, and read again", async () => {
    const agent = await liveAgent(acme, "endless");
    // One character outside Latin-1 doubles the whole on its way.
    const done = await agent.ask(`[[huge-9]]${"€".repeat(1_000_000)}`, { prefer: "wait=60" });
    expect(done.status).toBe("succeeded");
    expect(done.output?.text.length).toBe(9 * 1024 * 1024);
    expect((await agent.get(done.id)).output?.text.length).toBe(9 * 1024 * 1024);
    expect((await agent.steps(done.id)).map(({ state }) => state)).toEqual(["done"]);
    const events = await agent.events(done.id, 0);
    expect(events.at(-1)?.data).toMatchObject({
      invocation: { id: done.id, status: "succeeded", input: null, output: null },
    });
  });
});
