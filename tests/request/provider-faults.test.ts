/** What providers do to a run, and what a run does about it: retries, fallbacks, time limits. */
import { beforeAll, describe, expect, it, vi } from "vitest";
import {
  MODEL_SERVER,
  PRICED,
  type TestAgent,
  addProvider,
  asked,
  liveAgent,
  namesOf,
  seenBy,
  wordsOf,
} from "../fixtures/agent-runs.ts";
import { type TestTenant, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let agent: TestAgent;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
  agent = await liveAgent(acme, "worker", { model_timeout_ms: 400 });
});

describe("a call that was broken off", () => {
  it.each([
    ["after its time", "[[hang]] ", 3],
    ["when it had begun to speak", "[[close-midstream]]", 3],
  ])("%s is taken to have cost its input, each time", async (_when, input, sends) => {
    const events = await agent.stream(input);
    const done = await agent.get(String(events[0]?.data["invocation_id"]));
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
