/**
 * The object dies at every named point there is (GUARANTEES §3), and is asked for nothing but what
 * a caller and its own alarm ask of it: each accepted invocation still reaches exactly one end.
 */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import type { Invocation } from "../../core/invocations/contract.ts";
import type { AgentRuntime } from "../../durable-objects/agent-runtime/object.ts";
import { FAULT_POINTS, type FaultPoint } from "../../durable-objects/agent-runtime/faults.ts";
import {
  FAR_SIDE,
  MODEL_SERVER,
  TERMINAL,
  type TestAgent,
  addProvider,
  liveAgent,
  namesOf,
  readUntil,
  release,
  seenBy,
  wordsOf,
} from "../fixtures/agent-runs.ts";
import { type TestTenant, deliver, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let agent: TestAgent;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
  const tool = { kind: "http", description: "Does it.", method: "POST" };
  agent = await liveAgent(acme, "mortal", {
    tools: [
      { ...tool, name: "pay", url: `${FAR_SIDE}/pay`, on_unknown: "fail" },
      { ...tool, name: "note", url: `${FAR_SIDE}/note`, idempotent: true },
    ],
  });
});

/** Let the object die at a point; the answer tells whether it has: what is there then is another. */
async function arm(point: FaultPoint, visit = 1): Promise<() => Promise<boolean>> {
  let armed: AgentRuntime | undefined;
  await runInDurableObject(agent.stub(), (object: AgentRuntime) => {
    object.faults.arm(point, visit);
    armed = object;
  });
  const gone = () => runInDurableObject(agent.stub(), (object: AgentRuntime) => object !== armed);
  expect(await gone()).toBe(false);
  return gone;
}

type Row = { readonly id: string; readonly status: string };
const rowsOf = (key: string) =>
  agent.rows<Row>("SELECT id, status FROM invocation WHERE idem = ?", key);

/** A call whose object may die under it. */
async function tempt(input: string, key: string): Promise<void> {
  const headers = { accept: "text/event-stream" };
  const answer = agent.send(input, { key, headers }).then((response) => response.text());
  await answer.catch(() => undefined);
}

/**
 * The one end of the invocation of `key`: first without anybody calling, by the alarm alone; then,
 * where it was never accepted, by the caller's own second try.
 */
async function settled(input: string, key: string): Promise<Invocation> {
  const [open] = await rowsOf(key);
  if (open) {
    if (!TERMINAL.includes(`invocation.${open.status}`)) await runDurableObjectAlarm(agent.stub());
    await agent.events(open.id);
  }
  const done = await agent.ask(input, { key });
  expect(open?.id ?? done.id).toBe(done.id);
  expect(await rowsOf(key)).toHaveLength(1);
  const events = await agent.events(done.id);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  expect(namesOf(events).filter((name) => TERMINAL.includes(name))).toEqual([
    `invocation.${done.status}`,
  ]);
  expect(TERMINAL).toContain(events.at(-1)?.event);
  expect(["", done.output?.text ?? wordsOf(events)]).toContain(wordsOf(events));
  expect(await agent.get(done.id)).toEqual(done);
  return done;
}

const visited = new Set<FaultPoint>();
const died = async (point: FaultPoint, gone: () => Promise<boolean>) => {
  if (await gone()) visited.add(point);
  return visited.has(point);
};

/** The points an invocation with a tool call passes, and how often it passes each at most. */
const ON_THE_WAY = [
  ["before-accept", 1],
  ["after-accept", 1],
  ["before-model", 2],
  ["after-model", 2],
  ["before-tool", 1],
  ["after-tool", 1],
  ["after-delta", 2],
  ["before-settle", 1],
  ["after-settle", 1],
] as const;

const passes = ON_THE_WAY.flatMap(([point, visits]) =>
  Array.from({ length: visits }, (_, n) => [point, n + 1] as const),
);

describe("an object that dies", () => {
  it.each(passes)("G2, G3, G5: %s (pass %i), with a tool that pays", async (point, visit) => {
    const input = "[[tool-call]] pay {}";
    const key = `pay ${point} ${visit}`.replaceAll(" ", ".");
    const gone = await arm(point, visit);
    await tempt(input, key);
    expect(await died(point, gone)).toBe(true);
    const done = await settled(input, key);
    const paid = await seenBy(FAR_SIDE, { key: `${done.id}/tool.0#0` });
    expect(paid.length).toBeLessThanOrEqual(1);
    const states = (await agent.steps(done.id)).map(({ state }) => state);
    expect([done.status, done.error?.code, states, paid.length]).toEqual(
      done.status === "succeeded"
        ? ["succeeded", undefined, ["done", "done", "done"], 1]
        : ["failed", "effect_unknown", ["done", "unknown"], paid.length],
    );
  });

  it.each(passes)(
    "G3, R4: %s (pass %i), with a tool that may be asked again",
    async (point, visit) => {
      const input = "[[tool-call]] note {}";
      const key = `note ${point} ${visit}`.replaceAll(" ", ".");
      const gone = await arm(point, visit);
      await tempt(input, key);
      expect(await died(point, gone)).toBe(true);
      const done = await settled(input, key);
      expect(done).toMatchObject({ status: "succeeded", usage: { model_calls: 2, tool_calls: 1 } });
      const noted = await seenBy(FAR_SIDE, { label: "note" });
      const mine = noted.filter((request) => request.key.startsWith(done.id));
      expect(mine.length).toBeGreaterThanOrEqual(1);
      expect(new Set(mine.map((request) => request.key))).toEqual(new Set([`${done.id}/tool.0#0`]));
    },
  );

  it.each([
    ["before-retry", 1],
    ["after-claim", 1],
    ["before-model", 2],
  ] as const)("G5: %s (pass %i), between two attempts", async (point, visit) => {
    const input = "[[flaky-1]] between";
    const key = `retry.${point}`;
    const gone = await arm(point, visit);
    await tempt(input, key);
    expect(await died(point, gone)).toBe(true);
    expect(await settled(input, key)).toMatchObject({ status: "succeeded" });
  });

  it("after-cancel: is cancelled or goes on, and either once", async () => {
    const { id } = await agent.start("[[hold]] cancel", { key: "cancel" });
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 1);
    const gone = await arm("after-cancel");
    await agent.cancel(id).then((response) => response.text());
    expect(await died("after-cancel", gone)).toBe(true);
    await agent.cancel(id);
    expect(await settled("[[hold]] cancel", "cancel")).toMatchObject({ id, status: "cancelled" });
  });

  it("before-acknowledge: owes the ledger what it owed, and the ledger has it once", async () => {
    const { id } = await agent.ask("owed", { key: "owed" });
    const gone = await arm("before-acknowledge");
    await deliver("berth-ledger", [agent.owner]);
    expect(await died("before-acknowledge", gone)).toBe(true);
    const pending = () => agent.rows("SELECT pending FROM invocation WHERE id = ?", id);
    expect(await pending()).toEqual([{ pending: 2 }]);
    await deliver("berth-ledger", [agent.owner]);
    expect(await pending()).toEqual([{ pending: null }]);
    const usage = await acme.json<{ data: { invocation_id: string }[] }>(
      "/v1/usage?limit=100",
      200,
    );
    expect(usage.data.filter((row) => row.invocation_id === id)).toHaveLength(1);
    expect(await settled("owed", "owed")).toMatchObject({ id, status: "succeeded" });
  });

  it("has died at every point there is", () => {
    expect(FAULT_POINTS.filter((point) => !visited.has(point))).toEqual([]);
  });
});

describe("a run that is interrupted", () => {
  it("F95, G5: by an eviction, is taken up without anybody calling, from its first open step", async () => {
    const { id } = await agent.start('[[tool-call]] pay {"wait":1}');
    await agent.events(id);
    const events = await readUntil(
      await agent.send("[[hang-midstream]]", { headers: { accept: "text/event-stream" } }),
      "message.delta",
    );
    const running = String(events[0]?.data["invocation_id"]);
    await runInDurableObject(agent.stub(), (_object, state) => {
      state.abort("evicted");
    }).catch(() => undefined);
    expect(await runDurableObjectAlarm(agent.stub())).toBe(true);
    await seenBy(MODEL_SERVER, { key: `${running}/model.0` }, 2);
    const told = await readUntil(
      await acme.ask(`/v1/invocations/${running}/events`),
      "run.restarted",
    );
    expect(told.findLast(({ event }) => event === "run.restarted")?.data).toEqual({ attempt: 2 });
    expect((await agent.cancel(running)).status).toBe(200);
    const { usage, cost_micros } = await agent.get(running);
    // Two sends, neither answered: both are taken to have cost their input (R4).
    expect(usage).toMatchObject({ model_calls: 1, output_tokens: 0, estimated: true });
    expect(cost_micros).toBeGreaterThan(0);
  });

  it("R2: goes by the answer it has, though a model before it in the list is back", async () => {
    const tool = { kind: "http", name: "pay", description: "Pays.", method: "POST" };
    const spare = await liveAgent(acme, "spare", {
      model: "openai/flaky-1",
      fallback: ["openai/tool-call"],
      tools: [{ ...tool, url: `${FAR_SIDE}/pay` }],
    });
    await runInDurableObject(spare.stub(), (object: AgentRuntime) => {
      object.faults.arm("before-settle");
    });
    const { id } = await spare.start("pay {}");
    await spare.ended(id).catch(() => undefined);
    const done = await spare.ended(id);
    expect(done).toMatchObject({ status: "succeeded", attempts: 2, usage: { tool_calls: 1 } });
    expect(done.output?.messages.map(({ role }) => role)).toEqual([
      "assistant",
      "tool",
      "assistant",
    ]);
    expect(await seenBy(FAR_SIDE, { key: `${id}/tool.0#0` })).toHaveLength(1);
  });

  it("G5: with its session's next turns behind it, is taken up first, and they after it", async () => {
    const body = { session_id: "interrupted" };
    const first = await agent.start("[[flaky-1]] first", { body });
    const rest = [await agent.start("second", { body }), await agent.start("third", { body })];
    await runInDurableObject(agent.stub(), (_object, state) => state.abort("power")).catch(
      () => undefined,
    );
    await runDurableObjectAlarm(agent.stub());
    const ends = await Promise.all([first, ...rest].map(({ id }) => agent.ended(id)));
    expect(ends.map(({ status }) => status)).toEqual(["succeeded", "succeeded", "succeeded"]);
    const [request] = await seenBy(MODEL_SERVER, { key: `${rest[1]?.id}/model.0` });
    expect(request?.body).toMatch(/first.*second.*third/s);
  });

  it("G5: while it waits for its retry, has it when it is due, without anybody calling", async () => {
    const retry = { policy: "fixed", attempts: 2, base_ms: 3_600_000, cap_ms: 3_600_000 };
    const waiting = await liveAgent(acme, "waiting", { retry });
    const headers = { accept: "text/event-stream" };
    const told = await readUntil(
      await waiting.send("[[flaky-1]]", { headers }),
      "invocation.waiting",
    );
    const id = String(told[0]?.data["invocation_id"]);
    await runInDurableObject(waiting.stub(), async (_object, state) => {
      state.storage.sql.exec("UPDATE invocation SET due_ms = 1 WHERE id = ?", id);
      await state.storage.sync();
      state.abort("while waiting");
    }).catch(() => undefined);
    expect(await runDurableObjectAlarm(waiting.stub())).toBe(true);
    expect(await waiting.ended(id)).toMatchObject({ status: "succeeded", attempts: 2 });
  });

  it("is not held up by an eviction between turns", async () => {
    const body = { session_id: "evicted" };
    await agent.ask("before", { body });
    await evictDurableObject(agent.stub());
    const { id } = await agent.ask("after", { body });
    const [request] = await seenBy(MODEL_SERVER, { key: `${id}/model.0` });
    expect(request?.body).toContain("echo: before");
  });

  it("G2: whose release is gone is dead, and holds up nothing that is due beside it", async () => {
    const lost = await liveAgent(acme, "lost");
    const { id } = await lost.start("[[hang]]");
    const other = await lost.start("[[flaky-1]] beside");
    await lost.ended(other.id);
    const next = await lost.start("[[hold]] beside");
    await seenBy(MODEL_SERVER, { key: `${next.id}/model.0` }, 1);
    await runInDurableObject(lost.stub(), (_object, { storage }) => {
      storage.sql.exec("UPDATE invocation SET generation = 0 WHERE id = ?", id);
      return storage.sync();
    });
    await runInDurableObject(lost.stub(), (_object, state) => state.abort("gone")).catch(
      () => undefined,
    );
    expect(await lost.ended(id)).toMatchObject({
      status: "dead",
      error: { code: "internal", detail: "its release is gone" },
    });
    await seenBy(MODEL_SERVER, { key: `${next.id}/model.0` }, 2);
    await release(MODEL_SERVER);
    expect(await lost.ended(next.id)).toMatchObject({ status: "succeeded", attempts: 2 });
  });

  it("G2: too often is dead, and says why", async () => {
    const { id } = await agent.start("[[hang]]", { key: "poison" });
    await runInDurableObject(agent.stub(), (_object, { storage }) => {
      storage.sql.exec("UPDATE invocation SET restarts = 20 WHERE id = ?", id);
    });
    await runInDurableObject(agent.stub(), (_object, state) => {
      state.abort("again");
    }).catch(() => undefined);
    expect(await settled("[[hang]]", "poison")).toMatchObject({
      id,
      status: "dead",
      error: { code: "internal", detail: "the run was interrupted 21 times" },
    });
  });
});
