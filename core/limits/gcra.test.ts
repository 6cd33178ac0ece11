import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gcra, gcraRemaining } from "./gcra.ts";

describe("gcra", () => {
  it("admits exactly the limit at once", () => {
    let tatUs = 0;
    let admitted = 0;
    for (let i = 0; i < 50; i += 1) {
      const next = gcra(tatUs, 7, 1_000_000);
      if (next.retryAfterMs === 0) admitted += 1;
      ({ tatUs } = next);
    }
    expect(admitted).toBe(7);
  });

  it("does not move recovery away when a caller hammers a drained limit", () => {
    let { tatUs } = gcra(0, 1, 0);
    for (let t = 0; t < 60_000; t += 100) ({ tatUs } = gcra(tatUs, 1, t));
    expect(gcra(tatUs, 1, 60_000).retryAfterMs).toBe(0);
  });

  it("says how long to wait so that the wait is enough and no less would be", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 0, max: 10_000 }),
        (n, extra) => {
          let tatUs = 0;
          for (let i = 0; i < n; i += 1) ({ tatUs } = gcra(tatUs, n, extra));
          const { retryAfterMs = 0 } = gcra(tatUs, n, extra);
          expect(retryAfterMs).toBeGreaterThan(0);
          expect(gcra(tatUs, n, extra + retryAfterMs).retryAfterMs).toBe(0);
          expect(gcra(tatUs, n, extra + retryAfterMs - 1).retryAfterMs).toBe(1);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("refuses everything at a limit of zero, and tells nobody to wait", () => {
    expect(gcra(0, 0, 5)).toEqual({ tatUs: 0, retryAfterMs: undefined });
  });

  it("counts a clock that steps back as no time passed", () => {
    const { tatUs } = gcra(0, 1, 100_000);
    expect(gcra(tatUs, 1, 50_000).retryAfterMs).toBeGreaterThan(60_000);
  });
});

describe("gcra over any period", () => {
  const DAY_MS = 86_400_000;

  it("admits no more than burst and rate, however requests and costs fall", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.constantFrom(1000, 10_000, 3_600_000, DAY_MS),
        fc.array(fc.tuple(fc.nat(2000), fc.integer({ min: 1, max: 3 })), { maxLength: 200 }),
        (limit, periodMs, requests) => {
          let [tatUs, nowMs, admitted] = [0, 0, 0];
          for (const [gapMs, cost] of requests) {
            nowMs += gapMs;
            const next = gcra(tatUs, limit, nowMs, { periodMs, cost });
            if (next.retryAfterMs === 0) admitted += cost;
            ({ tatUs } = next);
            expect(admitted).toBeLessThanOrEqual(limit + (nowMs * limit) / periodMs);
          }
        },
      ),
    );
  });

  it("says what is left: just so much is admitted at once", () => {
    let tatUs = 0;
    for (let left = 5; left > 0; left -= 1) {
      expect(gcraRemaining(tatUs, 5, 1000, DAY_MS)).toBe(left);
      expect(gcra(tatUs, 5, 1000, { periodMs: DAY_MS, cost: left }).retryAfterMs).toBe(0);
      expect(gcra(tatUs, 5, 1000, { periodMs: DAY_MS, cost: left + 1 }).retryAfterMs).not.toBe(0);
      ({ tatUs } = gcra(tatUs, 5, 1000, { periodMs: DAY_MS }));
    }
    expect(gcraRemaining(tatUs, 5, 1000, DAY_MS)).toBe(0);
    expect(gcraRemaining(tatUs, 5, 1000 + DAY_MS, DAY_MS)).toBe(5);
  });

  it("refuses for good what costs more than there ever is", () => {
    expect(gcra(0, 5, 1000, { cost: 6 })).toEqual({ tatUs: 0, retryAfterMs: undefined });
  });
});
