import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RetryPolicy } from "./contract.ts";
import { retryDelayMs } from "./retry.ts";

const policy = (part: object) => RetryPolicy.parse({ base_ms: 100, cap_ms: 1000, ...part });

describe("retryDelayMs", () => {
  it("stays within 1 ms and the cap for every policy, however many failures", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("exponential", "linear", "fixed"),
        fc.integer({ min: 1, max: 500 }),
        fc.double({ min: 0, max: 0.999999, noNaN: true }),
        fc.option(fc.integer({ min: 0, max: 10_000_000 }), { nil: undefined }),
        (name, failures, random, after) => {
          const delay = retryDelayMs(policy({ policy: name }), failures, after, random);
          expect(Number.isInteger(delay)).toBe(true);
          expect(delay).toBeGreaterThanOrEqual(1);
          expect(delay).toBeLessThanOrEqual(1000);
        },
      ),
    );
  });

  it("grows as its policy says", () => {
    const at = (name: string) =>
      [1, 2, 3, 4].map((n) => retryDelayMs(policy({ policy: name, cap_ms: 10_000 }), n, 0, 0.5));
    expect(at("fixed")).toEqual([50, 50, 50, 50]);
    expect(at("linear")).toEqual([50, 100, 150, 200]);
    expect(at("exponential")).toEqual([50, 100, 200, 400]);
  });

  it("waits at least as long as the far side asked", () => {
    expect(retryDelayMs(policy({}), 1, 700, 0)).toBe(700);
  });
});
