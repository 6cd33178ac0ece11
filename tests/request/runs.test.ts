/** What happens inside a run: its tools, its steps, its money, its release (R1–R4). */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import {
  FAR_SIDE,
  MODEL_SERVER,
  type TestAgent,
  addProvider,
  asked,
  liveAgent,
  namesOf,
  redeploy,
  release,
  seenBy,
} from "../fixtures/agent-runs.ts";
import { type TestTenant, newWorld } from "../fixtures/world.ts";

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
      http("pays", "close", { on_unknown: "fail" }),
      { kind: "clock", name: "watch" },
    ],
    max_steps: 3,
  });
});

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
    expect(step?.output).toEqual({
      result: { content: output?.text.replace("the tool said: ", ""), isError: false },
    });
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

  it("R4: whose outcome is unknown ends the run where its spec says so, and is not sent again", async () => {
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
