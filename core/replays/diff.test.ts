import { describe, expect, it } from "vitest";
import type { Invocation, Step } from "../invocations/contract.ts";
import { diffRuns } from "./diff.ts";

const INVOCATION: Invocation = {
  id: "inv_a",
  agent: "support",
  version: 1,
  environment: "prod",
  session_id: "ses_a",
  status: "succeeded",
  input: "Hello",
  output: { text: "Hi", messages: [{ role: "assistant", content: "Hi" }] },
  error: null,
  usage: { input_tokens: 3, output_tokens: 1, model_calls: 1, tool_calls: 0, estimated: false },
  cost_micros: 40,
  cost_usd: "0.000040",
  lineage: [],
  redriven_from: null,
  forked_from: null,
  attempts: 1,
  metadata: {},
  created_at: "2026-11-20T12:00:00.000Z",
  completed_at: "2026-11-20T12:00:01.000Z",
};

function step(key: string, text: string, over: Partial<Step> = {}): Step {
  return {
    key,
    kind: "model",
    name: "openai/gpt-4o",
    state: "done",
    attempt: 1,
    input: null,
    output: { answer: { text, toolCalls: [], model: "gpt-4o", usage: { inputTokens: 3 } } },
    input_tokens: 3,
    output_tokens: 1,
    cost_micros: 40,
    started_at: "2026-11-20T12:00:00.000Z",
    finished_at: "2026-11-20T12:00:01.000Z",
    ...over,
  };
}

const keys = (steps: readonly Step[], others: readonly Step[]) =>
  diffRuns({ invocation: INVOCATION, steps }, { invocation: INVOCATION, steps: others }).steps.map(
    ({ key, change }) => `${key} ${change}`,
  );

describe("F112, K3: two runs side by side", () => {
  it("finds a run the same as itself, whatever it was counted as", () => {
    const run = { invocation: INVOCATION, steps: [step("model.0#0", "Hi")] };
    const counted = step("model.0#0", "Hi", { cost_micros: 0, attempt: 0 });
    const diff = diffRuns(run, { invocation: INVOCATION, steps: [counted] });
    expect(diff).toMatchObject({ same: true, first_difference: null });
    expect(diff.steps[0]).toMatchObject({ change: "same", cost_micros: { from: 40, to: 0 } });
  });

  it("names the first step that differs, and what of it", () => {
    const from = {
      invocation: INVOCATION,
      steps: [step("model.0#0", "a"), step("model.1#0", "b")],
    };
    const changed = step("model.1#0", "c", { name: "openai/gpt-5" });
    const output = { text: "c", messages: [{ role: "assistant" as const, content: "c" }] };
    const invocation = { ...INVOCATION, id: "inv_b", output, cost_micros: 55 };
    const diff = diffRuns(from, { invocation, steps: [step("model.0#0", "a"), changed] });
    expect(diff).toMatchObject({
      same: false,
      first_difference: "model.1#0",
      cost_micros_change: 15,
    });
    expect(diff.steps[1]).toMatchObject({ change: "changed", differs: ["name", "output"] });
    expect(diff.output).toEqual({ same: false, from: "Hi", to: "c" });
  });

  it("pairs by key, and puts what only one has where it stands there", () => {
    const [a, b, c] = [step("model.0#0", "a"), step("tool.0#0", "b"), step("model.1#0", "c")];
    expect(keys([a, c], [a, b, c])).toEqual(["model.0#0 same", "tool.0#0 added", "model.1#0 same"]);
    expect(keys([a, b, c], [a])).toEqual([
      "model.0#0 same",
      "tool.0#0 removed",
      "model.1#0 removed",
    ]);
    expect(keys([], [a, b])).toEqual(["model.0#0 added", "tool.0#0 added"]);
  });

  it("shows no more than 4,000 characters, and still tells what differs behind them", () => {
    const long = "x".repeat(5000);
    const diff = diffRuns(
      { invocation: { ...INVOCATION, input: `${long}a` }, steps: [] },
      { invocation: { ...INVOCATION, input: `${long}b` }, steps: [] },
    );
    expect(diff.input.same).toBe(false);
    expect(diff.input.from).toHaveLength(4000);
  });
});
