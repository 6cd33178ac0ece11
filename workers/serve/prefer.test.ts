import { describe, expect, it } from "vitest";
import { preferenceOf } from "./prefer.ts";

describe("preferenceOf", () => {
  it.each([
    [undefined, undefined, { kind: "wait", waitMs: 120_000 }],
    ["respond-async", undefined, { kind: "async", waitMs: 0 }],
    ["respond-async, wait=10", "text/event-stream", { kind: "async", waitMs: 0 }],
    ["wait=10", undefined, { kind: "wait", waitMs: 10_000 }],
    ["Wait=0", undefined, { kind: "async", waitMs: 0 }],
    ["wait=99999", undefined, { kind: "wait", waitMs: 120_000 }],
    ["wait=-1", undefined, { kind: "wait", waitMs: 120_000 }],
    ["wait=1e9", undefined, { kind: "wait", waitMs: 120_000 }],
    ["wait=5", "text/event-stream", { kind: "stream" }],
    [undefined, "application/json", { kind: "wait", waitMs: 120_000 }],
  ] as const)("reads Prefer %j with Accept %j", (prefer, accept, wish) => {
    expect(preferenceOf(prefer, accept)).toEqual(wish);
  });
});
