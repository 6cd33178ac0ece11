import { describe, expect, it } from "vitest";
import { afterFailure, CLOSED, type Breaker } from "./breaker.ts";
import { BreakerPolicy } from "./contract.ts";

const policy = BreakerPolicy.parse({ failures: 3, open_ms: 100, cap_ms: 350 });
const failing = (times: number, from: Breaker = CLOSED) =>
  Array.from({ length: times }).reduce<Breaker>(
    (known) => afterFailure(known, policy, 1000, false),
    from,
  );

describe("a breaker", () => {
  it("F98: opens at the failure its policy names, not before", () => {
    expect(failing(2)).toMatchObject({ failures: 2, probeMs: null });
    expect(failing(3)).toEqual({ failures: 3, trips: 1, probeMs: 1100 });
  });

  it("F98: lets what was sent before it opened change nothing", () => {
    expect(failing(9)).toEqual(failing(3));
  });

  it("F98: probes ever more seldom, up to the cap", () => {
    let known = failing(3);
    const waits = [1, 2, 3, 4].map(() => {
      known = afterFailure(known, policy, 5000, true);
      return (known.probeMs ?? 0) - 5000;
    });
    expect(waits).toEqual([200, 350, 350, 350]);
  });

  it("F98: waits as long as the far side asks, up to the cap", () => {
    const known = { ...failing(2) };
    expect(afterFailure(known, policy, 0, false, 250).probeMs).toBe(250);
    expect(afterFailure(known, policy, 0, false, 9999).probeMs).toBe(350);
  });
});
