import { expect, it } from "vitest";
import { estimateInputTokens, estimateTokens, estimateUsage, reportedUsage } from "./usage.ts";

it("F177: estimates bytes / 4, rounded up", () => {
  expect(estimateTokens("")).toBe(0);
  expect(estimateTokens("a")).toBe(1);
  expect(estimateTokens("abcde")).toBe(2);
  expect(estimateTokens("😀")).toBe(1);
  expect(estimateTokens("😀a")).toBe(2);
});

it("F177: counts everything a request sends", () => {
  const request = {
    model: "m",
    messages: [
      { role: "user" as const, content: "12345678" },
      {
        role: "assistant" as const,
        content: "1234",
        toolCalls: [{ id: "ignored", name: "abcd", arguments: "{}  " }],
      },
    ],
    tools: [{ name: "tool", description: "desc", inputSchema: {} }],
    parameters: {},
    idempotencyKey: "k",
  };
  expect(estimateInputTokens(request)).toBe(Math.ceil((8 + 4 + 8 + 8 + 2) / 4));
  expect(estimateUsage(request, "12345", [])).toEqual({
    inputTokens: 8,
    outputTokens: 2,
    estimated: true,
  });
});

it("F177: believes a provider's counts only when they are counts", () => {
  expect(reportedUsage(3, 4)).toEqual({ inputTokens: 3, outputTokens: 4, estimated: false });
  expect(reportedUsage(3.2, 0)).toMatchObject({ inputTokens: 4, outputTokens: 0 });
  expect(reportedUsage(1e300, 1)).toMatchObject({ inputTokens: 1_000_000_000 });
  for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY, "3", null, undefined, {}]) {
    expect(reportedUsage(bad, 1)).toBeUndefined();
    expect(reportedUsage(1, bad)).toBeUndefined();
  }
});
