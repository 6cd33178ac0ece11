/** What happens inside a run: tools, providers and their faults, sessions, cancel (R1–R4, A3). */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Invocation } from "../../core/invocations/contract.ts";
import {
  FAR_SIDE,
  MODEL_SERVER,
  PRICED,
  type TestAgent,
  addProvider,
  liveAgent,
  namesOf,
  readUntil,
  redeploy,
  release,
  seenBy,
  wordsOf,
} from "../fixtures/agent-runs.ts";
import { type TestTenant, newKey, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let agent: TestAgent;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
  const http = (name: string, path: string, more: object = {}) => ({
    kind: "http",
    name,
    description: `Calls ${path}.`,
    method: "POST",
    url: `${FAR_SIDE}/${path}`,
    timeout_ms: 300,
    ...more,
  });
  agent = await liveAgent(acme, "worker", {
    tools: [
      http("book", "book"),
      http("fails", "status-500"),
      http("hangs", "hang", { idempotent: true }),
      http("pays", "close"),
      http("holds", "hold", { timeout_ms: 30_000 }),
      { kind: "clock", name: "watch" },
    ],
    max_steps: 3,
    model_timeout_ms: 400,
  });
});

type Asked = {
  readonly messages: readonly { readonly role: string; readonly content: string }[];
};
const asked = async (id: string, i = 0) => {
  const requests = await seenBy(MODEL_SERVER, { key: `${id}/model.${i}` });
  return requests.map(({ body }) => JSON.parse(body) as Asked);
};
const statesOf = async (id: string) =>
  (await agent.steps(id)).map(({ key, state }) => [key, state] as const);

describe("a tool", () => {
  it("R1: is called once with the run's own key, and its answer goes back to the model", async () => {
    const events = await agent.stream('[[tool-call]] book {"seat":7}');
    const id = String(events[0]?.data["invocation_id"]);
    expect(namesOf(events).filter((name) => name !== "message.delta")).toEqual([
      "invocation.accepted",
      "run.started",
      "step.started",
      "step.finished",
      "tool.called",
      "tool.returned",
      "step.started",
      "step.finished",
      "message.completed",
      "invocation.succeeded",
    ]);
    const called = await seenBy(FAR_SIDE, { key: `${id}/tool.0#0` });
    expect(called).toMatchObject([{ method: "POST", path: "/book", body: '{"seat":7}' }]);
    const done = await agent.get(id);
    expect(done).toMatchObject({ status: "succeeded", usage: { model_calls: 2, tool_calls: 1 } });
    expect(done.output?.messages.map(({ role }) => role)).toEqual([
      "assistant",
      "tool",
      "assistant",
    ]);
    expect(done.output?.text).toContain("the tool said: ");
    expect(await statesOf(id)).toEqual([
      ["model.0#0", "done"],
      ["tool.0#0", "done"],
      ["model.1#0", "done"],
    ]);
  });

  it("is asked in parallel with its siblings, each under a key of its own", async () => {
    const { id } = await agent.start("[[tool-many-3]] ");
    const open = ["tool.0#0", "tool.0#1", "tool.0#2"];
    const done = await agent.ended(id);
    expect(done).toMatchObject({ status: "succeeded", usage: { tool_calls: 3 } });
    for (const key of open) {
      expect(await seenBy(FAR_SIDE, { key: `${id}/${key}` })).toHaveLength(1);
    }
    const second = (await asked(id, 1))[0]?.messages.filter(({ role }) => role === "tool");
    expect(second).toHaveLength(3);
  });

  it("tells the time, and the journal keeps what it told", async () => {
    const { id, output } = await agent.ask("[[tool-call]] watch {}");
    const step = (await agent.steps(id)).find(({ kind }) => kind === "tool");
    expect(step).toMatchObject({ name: "watch", state: "done" });
    const { result } = step?.output as { result: { content: string } };
    expect(output?.text).toBe(`the tool said: ${result.content}`);
  });

  it.each([
    ["answers with an error", "[[tool-call]] fails {}", "500"],
    ["is none of the agent's", "[[tool-unknown]]", "no tool named rm_rf"],
    ["gets arguments that are no JSON", "[[tool-broken]] book", "not a JSON object"],
    ["gets arguments that are no object", "[[tool-array]] book", "not a JSON object"],
    ["may be sent again and does not answer", "[[tool-call]] hangs {}", ""],
  ])("that %s is a thing the model reads about", async (_what, input, told) => {
    const events = await agent.stream(input);
    expect(events.find(({ event }) => event === "tool.returned")?.data).toMatchObject({
      is_error: true,
      content: expect.stringContaining(told) as string,
    });
    expect(events.at(-1)).toMatchObject({ event: "invocation.succeeded" });
  });

  it("G12: that is not the agent's is never called, whatever the model says", async () => {
    const before = await seenBy(FAR_SIDE, {});
    await agent.ask("[[tool-unknown]]");
    expect(await seenBy(FAR_SIDE, {})).toHaveLength(before.length);
  });

  it("R4: whose outcome is unknown ends the run saying so, and is not sent again", async () => {
    const done = await agent.ask("[[tool-call]] pays {}");
    expect(done).toMatchObject({ status: "failed", error: { code: "effect_unknown" } });
    expect(await seenBy(FAR_SIDE, { key: `${done.id}/tool.0#0` })).toHaveLength(1);
    expect(await statesOf(done.id)).toEqual([
      ["model.0#0", "done"],
      ["tool.0#0", "unknown"],
    ]);
    expect(done.usage).toMatchObject({ model_calls: 1, tool_calls: 1 });
  });

  it("is asked for no more often than the spec's steps allow", async () => {
    const done = await agent.ask("[[tool-loop]] book {}");
    expect(done).toMatchObject({
      status: "failed",
      error: { code: "step_limit" },
      usage: { model_calls: 3, tool_calls: 3 },
    });
  });
});

describe("the steps of a run", () => {
  it("are told in their order, though the clock stood still", async () => {
    const { id } = await agent.ask("[[tool-many-2]]");
    await agent.rows("UPDATE step SET started_ms = 0 WHERE invocation_id = ?", id);
    expect((await agent.steps(id)).map(({ key }) => key)).toEqual([
      "model.0#0",
      "tool.0#0",
      "tool.0#1",
      "model.1#0",
    ]);
  });
});

describe("the money of a run", () => {
  it("is the sum over its steps", async () => {
    const done = await agent.ask('[[tool-call]] book {"a":1}');
    const steps = await agent.steps(done.id);
    const sum = (of: "cost_micros" | "input_tokens" | "output_tokens") =>
      steps.reduce((total, step) => total + step[of], 0);
    expect(done.cost_micros).toBeGreaterThan(0);
    expect(done.cost_micros).toBe(sum("cost_micros"));
    expect(done.usage.input_tokens).toBe(sum("input_tokens"));
    expect(done.usage.output_tokens).toBe(sum("output_tokens"));
    expect(done.usage.estimated).toBe(false);
  });

  it.each(["no-usage", "mad-usage"])(
    "is estimated and marked where the provider counts nothing (%s)",
    async (name) => {
      const { usage, cost_micros } = await agent.ask(`[[${name}]] hello`);
      expect(usage).toMatchObject({ estimated: true, model_calls: 1 });
      expect(usage.input_tokens).toBeGreaterThan(0);
      expect(usage.output_tokens).toBeGreaterThan(0);
      expect(cost_micros).toBeGreaterThan(0);
    },
  );
});

describe("a call that was broken off", () => {
  it.each([
    ["after its time", "[[hang]] ", 3],
    ["when it had begun to speak", "[[close-midstream]]", 3],
  ])("%s is taken to have cost its input, each time", async (_when, input, sends) => {
    const plain = await liveAgent(acme, `plain-${input.length}`, { model_timeout_ms: 200 });
    const events = await plain.stream(input);
    const done = await plain.get(String(events[0]?.data["invocation_id"]));
    const tokens = Math.ceil(input.length / 4);
    expect(done).toMatchObject({
      status: "dead",
      usage: { input_tokens: sends * tokens, output_tokens: 0, estimated: true },
    });
    expect(done.cost_micros).toBeGreaterThan(0);
  });

  it("by an error of the provider has cost nothing", async () => {
    const done = await agent.ask("[[status-500]]");
    expect(done).toMatchObject({ cost_micros: 0, usage: { input_tokens: 0, estimated: false } });
  });
});

describe("a provider", () => {
  it("that refuses the credential fails the run at once", async () => {
    const done = await agent.ask("[[status-401]]");
    expect(done).toMatchObject({
      status: "failed",
      attempts: 1,
      error: { code: "model_failed", detail: "the provider refused the credential (401)" },
    });
    expect(await asked(done.id)).toHaveLength(1);
  });

  it("that asks for time is given it, and then answers", async () => {
    const events = await agent.stream("[[limited-1]] later");
    const waiting = events.find(({ event }) => event === "invocation.waiting");
    const id = String(events[0]?.data["invocation_id"]);
    const done = await agent.get(id);
    expect(done).toMatchObject({ status: "succeeded", attempts: 2 });
    const dueMs = Date.parse(String(waiting?.data["due_at"]));
    expect(dueMs - Date.parse(done.created_at)).toBeGreaterThanOrEqual(1000);
    expect(Date.parse(done.completed_at ?? "")).toBeGreaterThanOrEqual(dueMs);
    expect(await asked(id)).toHaveLength(2);
  });

  it("G6: that fails is asked again under the same key, until the policy gives up", async () => {
    const done = await agent.ask("[[status-500]]");
    expect(done).toMatchObject({ status: "dead", attempts: 3, error: { code: "model_failed" } });
    expect(await asked(done.id)).toHaveLength(3);
    const events = await agent.events(done.id);
    expect(namesOf(events).filter((name) => name !== "step.started")).toEqual([
      "invocation.accepted",
      "run.started",
      "step.finished",
      "invocation.waiting",
      "run.restarted",
      "step.finished",
      "invocation.waiting",
      "run.restarted",
      "step.finished",
      "invocation.dead",
    ]);
  });

  it("F95: that is back in time is answered from as if nothing had been", async () => {
    const done = await agent.ask("[[flaky-2]] back");
    expect(done).toMatchObject({
      status: "succeeded",
      attempts: 3,
      error: null,
      output: { text: "echo: [[flaky-2]] back" },
    });
  });

  it("that hangs is left after its time, and asked again", async () => {
    const done = await agent.ask("[[hang]]");
    expect(done).toMatchObject({ status: "dead", error: { code: "timeout" } });
    const key = `${done.id}/model.0`;
    expect(await seenBy(MODEL_SERVER, { key, state: "aborted" }, 3)).toHaveLength(3);
  });

  it.each(["close-midstream", "broken-chunk", "error-in-stream"])(
    "that breaks off its stream (%s) is never glued to its next answer",
    async (name) => {
      const events = await agent.stream(`[[${name}]]`);
      const restarts = events.filter(({ event }) => event === "run.restarted");
      expect(restarts).toHaveLength(2);
      expect("word0 word1 word2 word3 word4 word5").toContain(wordsOf(events));
      expect(events.at(-1)).toMatchObject({ event: "invocation.dead" });
    },
  );

  it.each(["broken-json", "empty", "close"])("that sends %s is asked again", async (name) => {
    const done = await agent.ask(`[[${name}]]`);
    expect(done).toMatchObject({ status: "dead", attempts: 3, error: { code: "model_failed" } });
  });
});

describe("a retry policy", () => {
  it.each([
    ["fixed", [10, 10, 10]],
    ["linear", [10, 20, 30]],
    ["exponential", [10, 20, 40]],
  ] as const)(
    "F98: %s decides how long each attempt waits, and how many there are",
    async (policy, waits) => {
      const retry = { policy, attempts: 4, base_ms: 20, cap_ms: 80 };
      const patient = await liveAgent(acme, `retries-${policy}`, { retry });
      const half = vi.spyOn(Math, "random").mockReturnValue(0.5);
      const done = await patient.ask("[[status-500]]").finally(() => half.mockRestore());
      expect(done).toMatchObject({ status: "dead", attempts: 4 });
      const events = await patient.rows<{ at_ms: number; body: string }>(
        "SELECT at_ms, body FROM event WHERE body LIKE '%invocation.waiting%' ORDER BY seq",
      );
      const waited = events.map(({ at_ms, body }) => {
        const due = /"due_at":"([^"]+)"/.exec(body)?.[1] ?? "";
        return Date.parse(due) - at_ms;
      });
      expect(waited).toEqual(waits);
    },
  );

  it("F98: of another name, or without bounds, is refused", async () => {
    for (const [retry, pointer] of [
      [{ policy: "eager" }, "/spec/retry/policy"],
      [{ attempts: 0 }, "/spec/retry/attempts"],
      [{ attempts: 21 }, "/spec/retry/attempts"],
      [{ base_ms: 0 }, "/spec/retry/base_ms"],
    ] as const) {
      const json = { slug: "refused", name: "refused", spec: { kind: "llm", retry } };
      const refused = await acme.json("/v1/agents", 422, { json });
      expect(refused).toMatchObject({ errors: [{ pointer }] });
    }
  });
});

describe("a fallback", () => {
  it("is asked in the list's order, and what answers is what is paid", async () => {
    const spare = await liveAgent(acme, "spare", {
      model: "openai/status-500",
      fallback: ["openai/status-401", PRICED, "openai/echo"],
    });
    const done = await spare.ask("hello there");
    expect(done).toMatchObject({
      status: "succeeded",
      attempts: 1,
      output: { text: "echo: hello there", data: { model: "gpt-4o" } },
      cost_micros: 35,
    });
    const steps = await spare.steps(done.id);
    expect(steps.map(({ key, name, state }) => [key, name, state])).toEqual([
      ["model.0#0", "openai/status-500", "failed"],
      ["model.0#1", "openai/status-401", "failed"],
      ["model.0#2", PRICED, "done"],
    ]);
    // Another request needs another key: a provider that honours it would refuse the second body.
    const keys = (await seenBy(MODEL_SERVER, {})).map((request) => request.key);
    expect(keys.filter((key) => key.startsWith(done.id))).toEqual([
      `${done.id}/model.0`,
      `${done.id}/model.0#1`,
      `${done.id}/model.0#2`,
    ]);
  });

  it("is worth a retry when one of the list was, and dead after the last", async () => {
    const down = await liveAgent(acme, "down", {
      model: "openai/status-500",
      fallback: ["openai/status-401"],
      retry: { attempts: 2, base_ms: 1 },
    });
    expect(await down.ask("hello")).toMatchObject({ status: "dead", attempts: 2 });
    const shut = await liveAgent(acme, "shut", {
      model: "openai/status-401",
      fallback: ["openai/status-403"],
    });
    expect(await shut.ask("hello")).toMatchObject({ status: "failed", attempts: 1 });
  });

  it("is not glued to what the model before it had begun to say", async () => {
    const glue = await liveAgent(acme, "glue", {
      model: "openai/close-midstream",
      fallback: ["openai/echo"],
    });
    const events = await glue.stream("whole");
    expect(wordsOf(events)).toBe("echo: whole");
    expect(events.at(-2)?.data).toMatchObject({ text: "echo: whole" });
  });
});

describe("a cancel", () => {
  it("A3: reaches the call in flight, and what comes late is nothing", async () => {
    const { id } = await agent.start("[[hang]]");
    const key = `${id}/model.0`;
    await seenBy(MODEL_SERVER, { key }, 1);
    const answer = await agent.cancel(id);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ id, status: "cancelled" });
    expect(await seenBy(MODEL_SERVER, { key, state: "aborted" }, 1)).toHaveLength(1);
    const events = await agent.events(id);
    expect(events.at(-1)).toMatchObject({ event: "invocation.cancelled" });
    expect(namesOf(events)).not.toContain("invocation.failed");
  });

  it("A4: again is the same, and of what has ended otherwise is refused", async () => {
    const { id } = await agent.start("[[hang]]");
    expect((await agent.cancel(id)).status).toBe(200);
    const cancelled = await agent.get(id);
    expect((await agent.cancel(id)).status).toBe(200);
    expect(await agent.get(id)).toEqual(cancelled);
    for (const input of ["done", "[[status-401]]", "[[status-500]]"]) {
      const done = await agent.ask(input);
      expect((await agent.cancel(done.id)).status).toBe(409);
      expect(await agent.get(done.id)).toEqual(done);
    }
  });

  it("reaches a tool, whose outcome is then unknown", async () => {
    const { id } = await agent.start("[[tool-call]] holds {}");
    const key = `${id}/tool.0#0`;
    await seenBy(FAR_SIDE, { key }, 1);
    await agent.cancel(id);
    expect(await seenBy(FAR_SIDE, { key, state: "aborted" }, 1)).toHaveLength(1);
    expect(await statesOf(id)).toEqual([
      ["model.0#0", "done"],
      ["tool.0#0", "unknown"],
    ]);
  });

  it("frees the session: its next turn begins, a cancelled one in between is skipped", async () => {
    const body = { session_id: "freed" };
    const first = await agent.start("[[hang]]", { body });
    const second = await agent.start("never", { body });
    const third = await agent.start("third", { body });
    await seenBy(MODEL_SERVER, { key: `${first.id}/model.0` }, 1);
    expect([second.status, third.status]).toEqual(["accepted", "accepted"]);
    expect((await agent.cancel(second.id)).status).toBe(200);
    expect(await agent.get(second.id)).toMatchObject({ status: "cancelled", attempts: 0 });
    await agent.cancel(first.id);
    expect(await agent.ended(third.id)).toMatchObject({ output: { text: "echo: third" } });
    expect(await asked(second.id)).toEqual([]);
    expect((await asked(third.id))[0]?.messages).toEqual([{ role: "user", content: "third" }]);
  });

  it("of a run that waits for its retry ends it, and it is tried no more", async () => {
    const patient = await liveAgent(acme, "patient", {
      retry: { policy: "fixed", attempts: 3, base_ms: 3_600_000, cap_ms: 86_400_000 },
    });
    await readUntil(
      await patient.send("[[status-500]]", { headers: { accept: "text/event-stream" } }),
      "invocation.waiting",
    );
    const [row] = await patient.rows<{ id: string }>("SELECT id FROM invocation");
    const id = row?.id ?? "";
    expect((await patient.cancel(id)).status).toBe(200);
    expect(namesOf(await patient.events(id)).at(-1)).toBe("invocation.cancelled");
    expect(await seenBy(MODEL_SERVER, { key: `${id}/model.0` })).toHaveLength(1);
  });
});

describe("a session", () => {
  it("F93: takes parallel inputs in the order they came, one at a time", async () => {
    const body = { session_id: "queue" };
    const inputs = ["[[delay-20]] a", "b", "c", "[[flaky-1]] d", "e"];
    const sent = await Promise.all(inputs.map((input) => agent.start(input, { body })));
    const done = await Promise.all(sent.map(({ id }) => agent.ended(id)));
    expect(done.map(({ status }) => status)).toEqual(inputs.map(() => "succeeded"));
    const rows = await agent.rows<{ id: string; turn: number }>(
      "SELECT id, turn FROM invocation WHERE session_id = ? ORDER BY turn",
      sent[0]?.session_id,
    );
    expect(rows.map(({ turn }) => turn)).toEqual([0, 1, 2, 3, 4]);
    const requests = await seenBy(MODEL_SERVER, {});
    const order = requests
      .map(({ key }) => rows.findIndex(({ id }) => key === `${id}/model.0`))
      .filter((turn) => turn >= 0);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    const inOrder = rows.map(({ id }) => done.find((one) => one.id === id));
    for (const [n, next] of inOrder.slice(1).entries()) {
      const before = inOrder[n];
      const [begun] = await agent.steps(next?.id ?? "");
      expect(Date.parse(begun?.started_at ?? "")).toBeGreaterThanOrEqual(
        Date.parse(before?.completed_at ?? ""),
      );
    }
    const last = (await asked(rows[4]?.id ?? ""))[0]?.messages ?? [];
    expect(last.map(({ role }) => role)).toEqual(
      Array.from({ length: 9 }, (_, n) => (n % 2 === 0 ? "user" : "assistant")),
    );
  });

  it("F62: remembers: the model is told what was said before", async () => {
    const first = await agent.ask("My name is Ada.");
    const body = { session_id: first.session_id };
    const second = await agent.ask("And now?", { body });
    expect(second.session_id).toBe(first.session_id);
    expect((await asked(second.id))[0]?.messages).toEqual([
      { role: "user", content: "My name is Ada." },
      { role: "assistant", content: "echo: My name is Ada." },
      { role: "user", content: "And now?" },
    ]);
  });

  it("leaves out of its history what got no answer", async () => {
    const body = { session_id: "gaps" };
    await agent.ask("one", { body });
    await agent.ask("[[status-401]] two", { body });
    const { id } = await agent.ask("three", { body });
    expect((await asked(id))[0]?.messages.map(({ content }) => content)).toEqual([
      "one",
      "echo: one",
      "three",
    ]);
  });

  it("keeps tool calls with their results in what it remembers", async () => {
    const body = { session_id: "tools" };
    await agent.ask("[[tool-call]] book {}", { body });
    const { id } = await agent.ask("next", { body });
    expect((await asked(id))[0]?.messages.map(({ role }) => role)).toEqual([
      "user",
      "assistant",
      "tool",
      "assistant",
      "user",
    ]);
  });

  it("shows the model whole turns within both bounds of its window", async () => {
    const few = await liveAgent(acme, "few", { history: { max_turns: 2, max_tokens: 8000 } });
    const small = await liveAgent(acme, "small", { history: { max_turns: 20, max_tokens: 12 } });
    const said = async (to: TestAgent) => {
      let last = "";
      for (const input of ["aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd"]) {
        ({ id: last } = await to.ask(input, { body: { session_id: "window" } }));
      }
      return (await asked(last))[0]?.messages.map(({ content }) => content);
    };
    expect(await said(few)).toEqual([
      "bbbbbbbb",
      "echo: bbbbbbbb",
      "cccccccc",
      "echo: cccccccc",
      "dddddddd",
    ]);
    // A turn is 2 + 4 tokens: two fit into 12, three do not.
    expect(await said(small)).toEqual([
      "bbbbbbbb",
      "echo: bbbbbbbb",
      "cccccccc",
      "echo: cccccccc",
      "dddddddd",
    ]);
  });

  it("of another principal is as one that is not there", async () => {
    const as = await newKey(acme);
    const { session_id } = await agent.ask("mine");
    const swap = (text: string) => text.replaceAll(/"(request_id|instance)":"[^"]*"/g, '"$1":""');
    const theirs = await agent.send("yours?", { as, body: { session_id } });
    const missing = await agent.send("yours?", {
      as,
      body: { session_id: `${session_id.slice(0, -1)}${session_id.endsWith("0") ? "1" : "0"}` },
    });
    expect([theirs.status, missing.status]).toEqual([404, 404]);
    expect(swap(await theirs.text())).toBe(swap(await missing.text()));
  });

  it("named by a caller is that caller's own", async () => {
    const as = await newKey(acme);
    const body = { session_id: "home" };
    const mine = await agent.ask("secret word", { body });
    const theirs = await agent.ask("what did I say?", { as, body });
    expect(theirs.session_id).not.toBe(mine.session_id);
    expect((await asked(theirs.id))[0]?.messages).toHaveLength(1);
    expect(await agent.ask("again", { body })).toMatchObject({ session_id: mine.session_id });
  });
});

describe("a re-drive", () => {
  it("is a new invocation of the same input and session; the old one stays what it is", async () => {
    const dead = await agent.ask("[[status-500]] again");
    const path = `/v1/invocations/${dead.id}/retry`;
    const again = await acme.json<Invocation>(path, 202, { method: "POST" });
    expect(again).toMatchObject({
      redriven_from: dead.id,
      session_id: dead.session_id,
      input: dead.input,
    });
    await agent.events(again.id);
    expect(await agent.get(dead.id)).toEqual(dead);
  });
});

describe("a re-drive by somebody else", () => {
  it("goes on in the session that the turn was in", async () => {
    const as = await newKey(acme);
    const dead = await agent.ask("[[status-500]] theirs");
    const path = `/v1/invocations/${dead.id}/retry`;
    const again = await acme.json<Invocation>(path, 202, { method: "POST", as });
    expect(again).toMatchObject({ redriven_from: dead.id, session_id: dead.session_id });
  });
});

describe("a release", () => {
  it("that is replaced finishes what it began; the next turn is the new one's", async () => {
    const changing = await liveAgent(acme, "changing", { instructions: "one" });
    const body = { session_id: "across" };
    const first = await changing.start("[[hold]] old", { body });
    await seenBy(MODEL_SERVER, { key: `${first.id}/model.0` }, 1);
    await redeploy(acme, changing, { instructions: "two" });
    const second = await changing.start("new", { body });
    await release(MODEL_SERVER);
    expect(await changing.ended(first.id)).toMatchObject({ status: "succeeded", version: 1 });
    expect(await changing.ended(second.id)).toMatchObject({ status: "succeeded", version: 2 });
    expect((await asked(first.id))[0]?.messages[0]).toEqual({ role: "system", content: "one" });
    expect((await asked(second.id))[0]?.messages[0]).toEqual({ role: "system", content: "two" });
  });

  it("that the object has not is pulled from the control plane", async () => {
    const behind = await liveAgent(acme, "behind", { instructions: "pulled" });
    await behind.ask("first");
    await evictDurableObject(behind.stub());
    await runInDurableObject(behind.stub(), (_object, { storage }) => {
      storage.sql.exec("DELETE FROM release");
      storage.sql.exec("DELETE FROM meta WHERE key = 'live'");
    });
    await evictDurableObject(behind.stub());
    expect(await behind.ask("second")).toMatchObject({ status: "succeeded" });
  });
});
