import { describe, expect, it } from "vitest";
import type { Invocation, InvocationEvent } from "../../../core/invocations/contract.ts";
import { ApiProblem } from "./api.ts";
import { applyEvent, newTurn, pending, turnOf, type Turn } from "./turn.ts";

const INVOCATION: Invocation = {
  id: "inv_1",
  agent: "support",
  version: 1,
  environment: "prod",
  session_id: "ses_1",
  status: "succeeded",
  input: "what time is it?",
  output: {
    text: "It is noon.",
    messages: [
      { role: "assistant", content: "Let me look.", tool_calls: [call("tcl_1")] },
      { role: "tool", content: '{"now":"12:00"}', tool_call_id: "tcl_1" },
      { role: "assistant", content: "It is noon." },
    ],
    data: { model: "local/extract", sources: [{ title: "Clock", quote: "12:00" }] },
  },
  error: null,
  usage: { input_tokens: 10, output_tokens: 4, model_calls: 2, tool_calls: 1, estimated: false },
  cost_micros: 12,
  cost_usd: "0.000012",
  lineage: [],
  redriven_from: null,
  forked_from: null,
  attempts: 1,
  metadata: {},
  created_at: "2026-11-20T12:00:00.000Z",
  completed_at: "2026-11-20T12:00:01.000Z",
};

const ASKED: readonly Fact[] = [
  ["invocation.accepted", { invocation_id: "inv_1", session_id: "ses_1" }],
  ["run.started", {}],
];
const LOOKED: readonly Fact[] = [
  ["message.delta", { text: "Let me " }],
  ["message.delta", { text: "look." }],
  ["tool.called", { call_id: "tcl_1", name: "clock", arguments: "{}" }],
  ["tool.returned", { call_id: "tcl_1", content: '{"now":"12:00"}', is_error: false }],
];
const ANSWERED: readonly Fact[] = [
  ["message.delta", { text: "It is " }],
  ["message.delta", { text: "noon." }],
  ["message.completed", { text: "It is noon.", sources: [{ title: "Clock", quote: "12:00" }] }],
  ["invocation.succeeded", { invocation: INVOCATION }],
];

type Fact = readonly [event: InvocationEvent["event"], data: InvocationEvent["data"]];

describe("a turn", () => {
  it("shows a followed turn exactly as it shows the same turn read back", () => {
    const { key: _followed, ...followed } = play([...ASKED, ...LOOKED, ...ANSWERED]);
    const { key: _read, ...read } = turnOf(INVOCATION);
    expect(followed).toEqual(read);
  });

  it("T1: drops only the unfinished text when the run restarts", () => {
    const before = play([...ASKED, ...LOOKED, ["message.delta", { text: "It is ha" }]]);
    expect(shown(before)).toEqual(["Let me look.", 'clock → {"now":"12:00"}', "It is ha"]);
    const after = play([["run.restarted", {}]], before);
    expect(shown(after)).toEqual(["Let me look.", 'clock → {"now":"12:00"}']);
    expect(shown(play(ANSWERED, after)).at(-1)).toBe("It is noon.");
  });

  it("T1: keeps text whose step is finished", () => {
    const facts: readonly Fact[] = [
      ["message.delta", { text: "Let me look." }],
      ["step.finished", { state: "done" }],
      ["run.restarted", {}],
    ];
    expect(shown(play(facts))).toEqual(["Let me look."]);
  });

  it("T1: drops what a model said that failed, for the fallback says it again", () => {
    const failed: Fact = ["step.finished", { key: "model#0", state: "failed" }];
    expect(shown(play([...LOOKED, ["message.delta", { text: "It is ha" }], failed]))).toEqual([
      "Let me look.",
      'clock → {"now":"12:00"}',
    ]);
  });

  it("T2: tells two calls apart that a model gave the same id", () => {
    const twice = ["tool.0.0", "tool.1.0"].map((key): Fact => {
      return ["tool.called", { key, call_id: "call_0", name: "clock", arguments: {} }];
    });
    expect(shown(play(twice))).toHaveLength(2);
  });

  it("T2: shows a tool call once when a restarted run calls it again", () => {
    const restarted = play([["run.restarted", {}], ...LOOKED.slice(2)], play(LOOKED));
    expect(shown(restarted).filter((line) => line.startsWith("clock"))).toHaveLength(1);
  });

  it("T3: replaces streamed text that differs from the settled answer", () => {
    const facts: readonly Fact[] = [["message.delta", { text: "It is mid" }], ...ANSWERED.slice(3)];
    expect(shown(play(facts))).toEqual(["It is noon."]);
  });

  it("shows an answer of which nothing was streamed", () => {
    expect(shown(play(ANSWERED.slice(2)))).toEqual(["It is noon."]);
  });

  it("keeps what was said when the run fails or is cancelled", () => {
    const failed = { ...INVOCATION, status: "cancelled" as const, output: null };
    const turn = play([["invocation.cancelled", { invocation: failed }]], play(LOOKED));
    expect(turn.status).toBe("cancelled");
    expect(shown(turn)[0]).toBe("Let me look.");
  });

  it("is pending from being asked to its terminal event, or until it cannot be followed", () => {
    const asked = newTurn("k", "hello");
    expect([asked, play(ASKED), play(ANSWERED)].map(pending)).toEqual([true, true, false]);
    const problem = new ApiProblem({ title: "Lost", status: 0, code: "connection_lost" });
    expect(pending({ ...asked, problem })).toBe(false);
  });
});

it("reads what was asked out of a list of messages", () => {
  const input = [
    { role: "system", content: "Be brief." },
    { role: "user", content: "Hi" },
  ];
  expect(turnOf({ ...INVOCATION, input }).asked).toBe("Be brief.\n\nHi");
});

function call(id: string) {
  return { id, name: "clock", arguments: "{}" };
}

function play(facts: readonly Fact[], from: Turn = newTurn("k", "what time is it?")): Turn {
  return facts.reduce(
    (turn, [event, data], index) => applyEvent(turn, { seq: index + 1, event, data }),
    from,
  );
}

function shown(turn: Turn): string[] {
  return turn.pieces.map((piece) =>
    piece.kind === "text" ? piece.text : `${piece.name} → ${piece.result?.content ?? "…"}`,
  );
}
