import { expect, it } from "vitest";
import { met, missedByPct, table, type Row } from "./report.ts";
import { medianRatio, quantile } from "./statistics.ts";

const row = (over: Partial<Row>): Row => ({ id: "x", what: "x", unit: "ms", product: 3, ...over });

it("judges the ratio where there is one, else the number itself", () => {
  const goal = { kind: "max", bound: 1.2 } as const;
  expect(met(row({ product: 3, ratio: 1.1, goal }))).toBe(true);
  expect(met(row({ product: 1.1, ratio: 3, goal }))).toBe(false);
  expect(met(row({ product: 18, goal: { kind: "max", bound: 18 } }))).toBe(true);
});

it("says by how much a goal is missed, and nothing of what was not measured", () => {
  const missed = row({ ratio: 0.68, goal: { kind: "min", bound: 0.85 } });
  expect(missedByPct(missed)).toBeCloseTo(20);
  expect(table([missed])).toContain("✗ by 20 %");
  const absent = row({ product: null, goal: { kind: "max", bound: 1 } });
  expect(met(absent)).toBeUndefined();
  expect(table([absent])).toContain("not measured");
});

it("pairs contenders round by round, so that a slow round is slow for both", () => {
  expect(medianRatio([2, 200, 4], [1, 100, 2])).toBe(2);
  expect(quantile([5, 1, 4, 2, 3], 0.5)).toBe(3);
  expect(quantile([5, 1, 4, 2, 3], 0.99)).toBe(5);
});
