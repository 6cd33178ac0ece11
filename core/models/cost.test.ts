import { describe, expect, it } from "vitest";
import { costMicros, priceOf } from "./cost.ts";
import { PRICES } from "./prices.generated.ts";

const PRICE = { inputPerMillion: 150_000, outputPerMillion: 600_000 };

describe("F177: token cost", () => {
  it("is whole micro-USD, rounded up once over input and output", () => {
    expect(costMicros({ inputTokens: 1000, outputTokens: 500 }, PRICE)).toBe(450);
    expect(costMicros({ inputTokens: 1, outputTokens: 0 }, PRICE)).toBe(1);
    expect(costMicros({ inputTokens: 1, outputTokens: 1 }, PRICE)).toBe(1);
    expect(costMicros({ inputTokens: 0, outputTokens: 0 }, PRICE)).toBe(0);
  });

  it("stays exact where a float would not", () => {
    const price = { inputPerMillion: 600_000_001, outputPerMillion: 0 };
    expect(costMicros({ inputTokens: 1_000_000_000, outputTokens: 0 }, price)).toBe(
      600_000_001_000,
    );
    expect(costMicros({ inputTokens: 999_999_999, outputTokens: 0 }, price)).toBe(600_000_000_400);
  });

  it("is nothing for a model without a price", () => {
    expect(costMicros({ inputTokens: 9, outputTokens: 9 }, undefined)).toBe(0);
    expect(priceOf("local/extract")).toBeUndefined();
    expect(priceOf("openai/constructor")).toBeUndefined();
    expect(priceOf("__proto__")).toBeUndefined();
  });

  it("finds a vendor's models, dated names included", () => {
    expect(priceOf("openai/gpt-4o")).toEqual({
      inputPerMillion: 2_500_000,
      outputPerMillion: 10_000_000,
    });
    expect(priceOf("openai/gpt-4o-2030-01-31")).toEqual(priceOf("openai/gpt-4o"));
  });

  it("knows integers only", () => {
    for (const [input, output] of Object.values(PRICES)) {
      expect(Number.isSafeInteger(input) && input >= 0).toBe(true);
      expect(Number.isSafeInteger(output) && output >= 0).toBe(true);
    }
  });
});
