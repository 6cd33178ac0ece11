/**
 * What a run does outside: once, or known to be unknown (K2, P3).
 *
 * The object is stopped at every boundary that its effects have. The boundaries are counted in an
 * unharmed run first, and every one that was counted must have been visited in the end.
 */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import type { Approval } from "../../core/approvals/contract.ts";
import type { Invocation } from "../../core/invocations/contract.ts";
import type { AgentRuntime } from "../../durable-objects/agent-runtime/object.ts";
import {
  FAR_SIDE,
  type TestAgent,
  addProvider,
  liveAgent,
  namesOf,
  seenBy,
} from "../fixtures/agent-runs.ts";
import { type TestTenant, newKey, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let asker: string;
/** Somebody else. */
let other: string;

const tool = (name: string, path: string, more: object = {}) => ({
  kind: "http",
  name,
  description: `Calls ${path}.`,
  method: "POST",
  url: `${FAR_SIDE}/${path}`,
  timeout_ms: 2000,
  ...more,
});
const lookup = (path: string) => ({ url: `${FAR_SIDE}/${path}/{idempotency_key}` });
const fast = { attempts: 3, base_ms: 1, cap_ms: 1 };

beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
  asker = await newKey(acme);
  other = await newKey(acme, { scopes: ["approvals:read", "approvals:decide"] });
});

/** Note the boundaries of the next run, and die at one of them. */
async function watch(agent: TestAgent, deadly?: string) {
  let passed: readonly string[] = [];
  let watched: AgentRuntime | undefined;
  await runInDurableObject(agent.stub(), (object: AgentRuntime) => {
    passed = object.faults.watch(deadly);
    watched = object;
  });
  const died = () => runInDurableObject(agent.stub(), (it: AgentRuntime) => it !== watched);
  return { passed: () => passed, died };
}

/** The end of the invocation of `key`: by the alarm alone, or, not accepted yet, by asking again. */
async function settled(agent: TestAgent, input: string, key: string): Promise<Invocation> {
  const [row] = await agent.rows<{ id: string; status: string }>(
    "SELECT id, status FROM invocation WHERE idem = ?",
    key,
  );
  if (!row) return agent.ask(input, { key });
  if (row.status === "running") await runDurableObjectAlarm(agent.stub());
  return agent.ended(row.id);
}

async function stopEverywhere(
  agent: TestAgent,
  input: string,
  check: (done: Invocation, at: string) => Promise<void>,
): Promise<void> {
  const calm = await watch(agent);
  const { id } = await agent.start(input, { key: "calm" });
  await check(await agent.ended(id), "nowhere");
  const counted = [...calm.passed()];
  expect(new Set(counted).size).toBe(counted.length);
  const visited: string[] = [];
  for (const [n, boundary] of counted.entries()) {
    const key = `stopped.${n}`;
    const { died } = await watch(agent, boundary);
    await agent
      .send(input, { key })
      .then((answer) => answer.text())
      .catch(() => undefined);
    const done = await settled(agent, input, key);
    if (await died()) visited.push(boundary);
    await check(done, boundary);
  }
  expect(visited).toEqual(counted);
  expect(visited.length).toBeGreaterThan(10);
}

/** How often the far side was called under the key of a step. */
async function callsOf({ id }: Invocation, step: string, method = "POST"): Promise<number> {
  const seen = await seenBy(FAR_SIDE, { key: `${id}/${step}` });
  return seen.filter((request) => request.method === method).length;
}

describe("a run that is stopped at every boundary of its effects", () => {
  it("K2, F63: has called what cannot be repeated once or knows that it does not know", async () => {
    const agent = await liveAgent(acme, "rich", {
      tools: [
        tool("pay", "pay", { on_unknown: "fail" }),
        tool("note", "note", { idempotent: true }),
        tool("book", "effect", { lookup: lookup("effect") }),
        tool("look", "look", { method: "GET" }),
      ],
    });
    const unknown: string[] = [];
    await stopEverywhere(agent, "[[tool-each]] pay note book look", async (done, at) => {
      const states = new Map((await agent.steps(done.id)).map(({ key, state }) => [key, state]));
      const known = done.status === "succeeded";
      if (!known) unknown.push(at);
      const paid = await callsOf(done, "tool.0#0");
      const booked = await callsOf(done, "tool.0#2");
      const noted = await callsOf(done, "tool.0#1");
      const looked = await callsOf(done, "tool.0#3", "GET");
      expect([at, done.error?.code, states.get("tool.0#0")]).toEqual(
        known ? [at, undefined, "done"] : [at, "effect_unknown", "unknown"],
      );
      expect(Math.max(paid, booked)).toBeLessThanOrEqual(1);
      // Nothing that is `done` was never called.
      const calls = { "tool.0#0": paid, "tool.0#1": noted, "tool.0#2": booked, "tool.0#3": looked };
      const silent = Object.entries(calls).filter(
        ([key, n]) => states.get(key) === "done" && n < 1,
      );
      expect([at, silent]).toEqual([at, []]);
      const open = [...states.values()].filter((state) => known && state !== "done");
      expect([at, open]).toEqual([at, []]);
    });
    // It knows wherever knowing is possible: only beside the payment itself it cannot.
    expect(unknown).toContain("tool.0#0 sent");
    expect(unknown).not.toContain("model.0#0 answered");
    expect(unknown).not.toContain("settled");
  }, 120_000);

  it("F76, K2: has undone what it did, once, when it fails", async () => {
    const agent = await liveAgent(acme, "saga", {
      tools: [
        tool("charge", "effect", { lookup: lookup("effect"), compensate_with: "refund" }),
        tool("reserve", "effect", { lookup: lookup("effect"), compensate_with: "release" }),
        tool("release", "effect", { lookup: lookup("effect"), offered: false }),
        tool("refund", "effect", { lookup: lookup("effect"), offered: false }),
      ],
    });
    await stopEverywhere(agent, "[[tool-each-400]] charge reserve", async (done, at) => {
      expect([done.status, done.error?.code, at]).toEqual(["failed", "model_failed", at]);
      expect(done.error?.detail).not.toContain("undone");
      const steps = await agent.steps(done.id);
      expect(steps.slice(-2).map(({ key, name, state }) => [key, name, state])).toEqual([
        ["undo.0#1", "release", "done"],
        ["undo.0#0", "refund", "done"],
      ]);
      for (const key of ["tool.0#0", "tool.0#1", "undo.0#1", "undo.0#0"]) {
        expect([await callsOf(done, key), key, at]).toEqual([1, key, at]);
      }
    });
  }, 120_000);
});

describe("a compensation", () => {
  it("F76: is called with what its schema names, from the result, the arguments and the key", async () => {
    const input_schema = {
      type: "object",
      properties: { receipt: {}, seat: {}, idempotency_key: {} },
      required: ["receipt", "seat", "idempotency_key"],
    };
    const agent = await liveAgent(acme, "exact", {
      max_steps: 1,
      tools: [
        tool("book", "effect", { compensate_with: "cancel", idempotent: true }),
        tool("cancel", "cancel", { input_schema, idempotent: true, offered: false }),
      ],
    });
    const done = await agent.ask('[[tool-call]] book {"seat":7,"other":1}');
    expect(done).toMatchObject({ status: "failed", error: { code: "step_limit" } });
    const [request] = await seenBy(FAR_SIDE, { key: `${done.id}/undo.0#0` });
    const key = `${done.id}/tool.0#0`;
    expect(JSON.parse(request?.body ?? "")).toEqual({
      receipt: key,
      seat: 7,
      idempotency_key: key,
    });
    const told = await agent.events(done.id);
    expect(namesOf(told).slice(-3)).toEqual(["tool.called", "tool.returned", "invocation.failed"]);
    expect(told.at(-3)?.data).toMatchObject({ name: "cancel", compensates: "tool.0#0" });
  });

  it("F76: undoes what a person let be done, and not what the model had asked for", async () => {
    const input_schema = { type: "object", properties: { receipt: {}, seat: {} } };
    const agent = await liveAgent(acme, "changed-mind", {
      max_steps: 1,
      tools: [
        tool("book", "effect", { compensate_with: "cancel", idempotent: true, approval: {} }),
        tool("cancel", "cancel", { input_schema, idempotent: true, offered: false }),
      ],
    });
    const waits = await agent.send('[[tool-call]] book {"seat":7}', { as: asker });
    const { id } = await waits.json<Invocation>();
    const [row] = await agent.rows<{ id: string; digest: string }>(
      "SELECT id, digest FROM approval WHERE invocation_id = ?",
      id,
    );
    const json = { digest: row?.digest, arguments: { seat: 8 } };
    await acme.json(`/v1/approvals/${row?.id}/approve`, 200, { json });
    expect((await agent.ended(id)).error?.code).toBe("step_limit");
    const [request] = await seenBy(FAR_SIDE, { key: `${id}/undo.0#0` });
    expect(JSON.parse(request?.body ?? "")).toEqual({ receipt: `${id}/tool.0#0`, seat: 8 });
  });

  it("F76: that fails keeps no other from being made, and the run says so", async () => {
    const agent = await liveAgent(acme, "stuck", {
      tools: [
        tool("first", "effect", { compensate_with: "good", idempotent: true }),
        tool("second", "effect", { compensate_with: "bad", idempotent: true }),
        tool("good", "effect", { offered: false, idempotent: true }),
        tool("bad", "status-409", { offered: false, idempotent: true }),
      ],
    });
    const done = await agent.ask("[[tool-each-400]] first second");
    expect(done.status).toBe("failed");
    expect(done.error?.detail).toContain("1 of 2 effects could not be undone");
    expect([await callsOf(done, "undo.0#0"), await callsOf(done, "undo.0#1")]).toEqual([1, 1]);
  });

  it("G12: is nothing a model can call, nor is it told of it", async () => {
    const agent = await liveAgent(acme, "hidden", {
      tools: [tool("visible", "effect"), tool("secretly", "effect", { offered: false })],
    });
    const done = await agent.ask("[[tool-call]] secretly {}");
    const step = (await agent.steps(done.id)).find(({ kind }) => kind === "tool");
    expect(step?.name).toBe("visible");
  });
});

describe("a call whose outcome nobody knows", () => {
  let agent: TestAgent;
  beforeAll(async () => {
    agent = await liveAgent(acme, "unsure", { tools: [tool("pay", "close")] });
  });

  /** A run that waits for people, and what they are asked. */
  async function asking(on = agent): Promise<{ readonly id: string; readonly about: Approval }> {
    const response = await on.send("[[tool-call]] pay {}", { as: asker });
    const { id, status } = await response.json<Invocation>();
    expect([response.status, status]).toEqual([202, "waiting"]);
    const [row] = await on.rows<{ id: string }>(
      "SELECT id FROM approval WHERE invocation_id = ? AND status = 'pending'",
      id,
    );
    return { id, about: await acme.json<Approval>(`/v1/approvals/${row?.id}`, 200) };
  }

  const say = async ({ id, digest }: Approval, verb: string, said: object = {}) => {
    const json = { digest, ...said };
    const answer = await acme.ask(`/v1/approvals/${id}/${verb}`, { json, as: other });
    expect([answer.status, answer.ok ? "" : await answer.text()]).toEqual([200, ""]);
  };

  const toolStep = async (id: string) =>
    (await agent.steps(id)).find(({ kind }) => kind === "tool");

  it("K2: is unknown, and people are asked", async () => {
    const { id, about } = await asking();
    expect(about).toMatchObject({ kind: "effect", name: "pay", status: "pending" });
    expect(await toolStep(id)).toMatchObject({ state: "unknown", output: null });
    expect(await callsOf({ id } as Invocation, "tool.0#0")).toBe(1);
    const told = await acme.ask(`/v1/invocations/${id}/cancel`, { method: "POST" });
    expect(told.status).toBe(200);
  });

  it("K2: goes on with the result that a person says it had", async () => {
    const { id, about } = await asking();
    await say(about, "happened", { result: "receipt 7" });
    const done = await agent.ended(id);
    expect(done).toMatchObject({
      status: "succeeded",
      output: { text: "the tool said: receipt 7" },
    });
    expect(await toolStep(id)).toMatchObject({ state: "done" });
    expect(await callsOf(done, "tool.0#0")).toBe(1);
  });

  it("K2: goes on without it when a person says that it did not happen", async () => {
    const { id, about } = await asking();
    await say(about, "reject", { reason: "I looked." });
    const done = await agent.ended(id);
    expect(done.output?.text).toBe("the tool said: The call did not take effect. I looked.");
    expect(await callsOf(done, "tool.0#0")).toBe(1);
  });

  it("K2: is sent again, once, when a person says so; and asked about again when that is lost", async () => {
    const { id, about } = await asking();
    await say(about, "approve");
    await agent.rows("SELECT 1");
    await seenBy(FAR_SIDE, { key: `${id}/tool.0#0` }, 2);
    const again = async (): Promise<string> => {
      const [row] = await agent.rows<{ id: string }>(
        "SELECT id FROM approval WHERE invocation_id = ? AND status = 'pending'",
        id,
      );
      return row?.id ?? again();
    };
    const second = await acme.json<Approval>(`/v1/approvals/${await again()}`, 200);
    expect(second.id).not.toBe(about.id);
    await say(second, "happened", { result: "at last" });
    expect((await agent.ended(id)).output?.text).toBe("the tool said: at last");
    expect(await callsOf({ id } as Invocation, "tool.0#0")).toBe(2);
  });

  it.each([
    ["took effect before the answer broke off", "mute", 1],
    ["did not take effect", "deaf", 2],
  ])("K2: is looked up, and %s (%s)", async (_what, path, sends) => {
    const tools = [tool("pay", path, { lookup: lookup(path), retry: fast })];
    const looking = await liveAgent(acme, `looks-${path}`, { tools });
    const done = await looking.ask("[[tool-call]] pay {}");
    expect(done.output?.text).toBe(`the tool said: {"receipt":"${done.id}/tool.0#0"}`);
    expect(await callsOf(done, "tool.0#0")).toBe(sends);
  });

  it("K2: is asked about when a look-up says nothing either", async () => {
    const tools = [tool("pay", "unsure", { lookup: lookup("unsure") })];
    const unheard = await liveAgent(acme, "looks-nowhere", { tools });
    const { id } = await unheard.start("[[tool-call]] pay {}");
    const waits = async (): Promise<string> => {
      await unheard.rows("UPDATE invocation SET due_ms = 1 WHERE due_ms > 1");
      await runDurableObjectAlarm(unheard.stub());
      const { status } = await unheard.get(id);
      return status === "accepted" || status === "running" ? waits() : status;
    };
    expect(await waits()).toBe("waiting");
    expect(await callsOf({ id } as Invocation, "tool.0#0")).toBe(1);
    const looks = (await seenBy(FAR_SIDE, { label: "unsure" })).filter(
      ({ method, path }) => method === "GET" && path.includes(id),
    );
    expect(looks.length).toBe(6);
  });
});

describe("a journal that another run would have written", () => {
  const altered = {
    "a tool's step": "UPDATE step SET input_hash = 'x' WHERE key = 'tool.0#0'",
    "a model's step": "UPDATE invocation SET first = json_set(first, '$.input_hash', 'x')",
    "its version's spec": "UPDATE release SET body = replace(body, 'be exact', 'be quick')",
  };
  it.each(Object.entries(altered))(
    "K3, P4: is never papered over (%s)",
    async (what, statement) => {
      const slug = what.replaceAll(/[^a-z]+/g, "-");
      const agent = await liveAgent(acme, slug, {
        instructions: "be exact",
        tools: [tool("pay", "close")],
      });
      const { id } = await (await agent.send("[[tool-call]] pay {}")).json<Invocation>();
      await runInDurableObject(agent.stub(), async (_object: AgentRuntime, state) => {
        state.storage.sql.exec(statement);
        state.storage.sql.exec("UPDATE invocation SET due_ms = 1 WHERE id = ?", id);
        await state.storage.sync();
        state.abort("altered");
      }).catch(() => undefined);
      await runDurableObjectAlarm(agent.stub());
      expect(await agent.ended(id)).toMatchObject({
        status: "failed",
        error: { code: "journal_mismatch" },
      });
      expect(await callsOf({ id } as Invocation, "tool.0#0")).toBe(1);
    },
  );
});

describe("a tool's retry", () => {
  it("F98: sends again under the same key while the far side cannot answer", async () => {
    const tools = [tool("try", "flaky-2", { idempotent: true, retry: fast })];
    const agent = await liveAgent(acme, "tries", { tools });
    const done = await agent.ask("[[tool-call]] try {}");
    expect(done).toMatchObject({ status: "succeeded", attempts: 3, usage: { tool_calls: 1 } });
    expect(done.output?.text).toContain("/flaky-2");
    expect(await callsOf(done, "tool.0#0")).toBe(3);
  });

  it("F98: is nothing to readers of the stream: no words are dropped for it", async () => {
    const tools = [tool("try", "flaky-1", { idempotent: true, retry: fast })];
    const agent = await liveAgent(acme, "quietly", { tools });
    const told = await agent.stream("[[tool-call]] try {}");
    expect(namesOf(told)).not.toContain("run.restarted");
    expect(namesOf(told).filter((name) => name === "run.started")).toHaveLength(2);
    expect(told.at(-1)?.event).toBe("invocation.succeeded");
  });

  it("F98: ends with what the far side said last, which the model reads", async () => {
    const tools = [tool("try", "flaky-9", { idempotent: true, retry: fast })];
    const agent = await liveAgent(acme, "tires", { tools });
    const done = await agent.ask("[[tool-call]] try {}");
    expect(done.output?.text).toContain("the tool said: HTTP 503");
    expect(await callsOf(done, "tool.0#0")).toBe(3);
  });

  it("F98: does not send again what was answered for good", async () => {
    const tools = [tool("try", "status-404", { idempotent: true, retry: fast })];
    const agent = await liveAgent(acme, "final", { tools });
    const done = await agent.ask("[[tool-call]] try {}");
    expect(await callsOf(done, "tool.0#0")).toBe(1);
  });
});

describe("an upstream that lies", () => {
  it.each([
    ["30 MiB, no length", "large"],
    ["30 MiB, with its length", "declared"],
    ["another type", "binary"],
    ["text that is none", "nul"],
    ["a redirect inwards", "redirect"],
  ])("K2, F194: with %s is an error the model reads, and the run goes on", async (_what, path) => {
    const agent = await liveAgent(acme, `lies-${path}`, { tools: [tool("ask", path)] });
    const done = await agent.ask("[[tool-call]] ask {}");
    expect(done).toMatchObject({ status: "succeeded" });
    expect((done.output?.text ?? "").length).toBeLessThan(10_000);
    expect(await callsOf(done, "tool.0#0")).toBe(1);
  });

  it("K2: by drops is given up in its time, and is no answer", async () => {
    const tools = [tool("ask", "drip", { timeout_ms: 200, on_unknown: "fail" })];
    const agent = await liveAgent(acme, "drips", { tools });
    const done = await agent.ask("[[tool-call]] ask {}");
    expect(done).toMatchObject({ status: "failed", error: { code: "effect_unknown" } });
  });
});
