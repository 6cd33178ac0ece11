import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gcra } from "./gcra.ts";

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
