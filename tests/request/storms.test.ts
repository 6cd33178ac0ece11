/**
 * Callers at once, sessions shared, an object that dies now and then: drawn from a seed, so that a
 * storm that broke something can be had again.
 */
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, expect, it } from "vitest";
import type { Invocation } from "../../core/invocations/contract.ts";
import { FAULT_POINTS } from "../../durable-objects/agent-runtime/faults.ts";
import type { AgentRuntime } from "../../durable-objects/agent-runtime/object.ts";
import {
  FAR_SIDE,
  MODEL_SERVER,
  TERMINAL,
  type TestAgent,
  addProvider,
  liveAgent,
  namesOf,
  seenBy,
  wordsOf,
} from "../fixtures/agent-runs.ts";
import { newWorld } from "../fixtures/world.ts";

let agent: TestAgent;
beforeAll(async () => {
  const { acme } = await newWorld();
  await addProvider(acme);
  const tool = { kind: "http", description: "Does it.", method: "POST" };
  agent = await liveAgent(acme, "mortal", {
    tools: [
      { ...tool, name: "pay", url: `${FAR_SIDE}/pay`, on_unknown: "fail" },
      { ...tool, name: "note", url: `${FAR_SIDE}/note`, idempotent: true },
    ],
  });
});

const INPUTS = [
  "plain",
  "[[tool-call]] pay {}",
  "[[tool-call]] note {}",
  "[[tool-many-2]]",
  "[[flaky-1]] again",
  "[[status-401]]",
  "[[status-500]]",
  "[[stream-6-5]]",
  "[[close-midstream]]",
];

type Sent = { readonly key: string; readonly input: string; readonly session: string };

/** Several callers at once in three sessions, while the object dies now and then. */
async function storm(seed: number): Promise<readonly Sent[]> {
  const random = generator(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const all: Sent[] = [];
  for (let round = 0; round < 5; round += 1) {
    const point = pick(FAULT_POINTS);
    const visit = 1 + Math.floor(random() * 3);
    await runInDurableObject(agent.stub(), (object: AgentRuntime) => {
      object.faults.arm(point, visit);
    });
    const sent = Array.from({ length: 4 }, (_, n) => ({
      key: `storm-${seed}-${round}-${n}`,
      input: pick(INPUTS),
      session: `storm-${seed}-${Math.floor(random() * 3)}`,
    }));
    all.push(...sent);
    await Promise.all(sent.map(tempt));
  }
  return all;
}

/** A call whose object may die under it. */
async function tempt({ key, input, session }: Sent): Promise<void> {
  const headers = { accept: "text/event-stream" };
  const body = { session_id: session };
  const answer = agent.send(input, { key, headers, body }).then((response) => response.text());
  await answer.catch(() => undefined);
}

/** The caller tries again until it has its answer: the same key, the same body. */
async function answerTo({ key, input, session }: Sent): Promise<Invocation> {
  for (let tries = 0; tries < 20; tries += 1) {
    const response = await agent.send(input, { key, body: { session_id: session } });
    const text = await response.text();
    if (response.status === 200) return JSON.parse(text) as Invocation;
  }
  throw new Error(`${key} has no answer`);
}

it.each([1, 2, 3])("G1-G5: each invocation ends once, in its order (seed %i)", async (seed) => {
  const sent = await storm(seed);
  const ends = await Promise.all(sent.map(answerTo));
  expect(new Set(ends.map(({ id }) => id)).size).toBe(sent.length);
  for (const [n, done] of ends.entries()) {
    const rows = await agent.rows("SELECT id, status FROM invocation WHERE idem = ?", sent[n]?.key);
    expect(rows).toEqual([{ id: done.id, status: done.status }]);
    const events = await agent.events(done.id);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(namesOf(events).filter((name) => TERMINAL.includes(name))).toEqual([
      `invocation.${done.status}`,
    ]);
    expect(await agent.get(done.id)).toEqual(done);
    const steps = await agent.steps(done.id);
    expect(steps.filter(({ state }) => state === "sent")).toEqual([]);
    expect(done.cost_micros).toBe(steps.reduce((sum, step) => sum + step.cost_micros, 0));
    expect(["", done.output?.text ?? wordsOf(events)]).toContain(wordsOf(events));
  }
  const paid = (await seenBy(FAR_SIDE, { label: "pay" })).map((request) => request.key);
  expect(new Set(paid).size).toBe(paid.length);
  await inOrder(ends);
  expect(await agent.rows("SELECT id FROM invocation WHERE completed_ms IS NULL")).toEqual([]);
});

/** No turn of a session was put to a model before the turn ahead of it had ended. */
async function inOrder(ends: readonly Invocation[]): Promise<void> {
  const asked = await seenBy(MODEL_SERVER, {});
  for (const turns of Map.groupBy(ends, (done) => done.session_id).values()) {
    const ids = await agent.rows<{ id: string }>(
      "SELECT id FROM invocation WHERE session_id = ? ORDER BY turn",
      turns[0]?.session_id,
    );
    const order = asked
      .map(({ key }) => ids.findIndex(({ id }) => key.startsWith(`${id}/`)))
      .filter((turn) => turn >= 0);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  }
}

/** Mulberry32: a seed that failed can be run again. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
