import { describe, expect, it } from "vitest";
import { coverageOf, provedBy } from "./coverage.ts";
import { REQUIREMENTS } from "./requirements.ts";

describe("coverage of requirements", () => {
  it("finds every number in a name, and no number inside another", () => {
    expect([...provedBy(["Fx: F4, F92–F94 and F10: all of it", "AF7 F43b F0 F0123"])]).toEqual([
      "F4",
      "F92",
      "F94",
      "F10",
    ]);
  });

  it("says which done number no passed test names", () => {
    const requirements = {
      F1: ["done", "one"],
      F2: ["done", "two"],
      F3: ["planned", "three"],
      F4: ["planned", "four"],
    } as const;
    expect(coverageOf(requirements, ["F1: answers", "F3: too", "F999: a slip"])).toEqual({
      unproved: ["F2"],
      unknown: ["F999"],
      unclaimed: ["F3"],
    });
  });

  it("lists F1 to F222 without a gap, each with a title", () => {
    const ids = Array.from({ length: 222 }, (_, at) => `F${at + 1}`);
    expect(Object.keys(REQUIREMENTS)).toEqual(ids);
    expect(Object.values(REQUIREMENTS).every(([, title]) => title.length > 5)).toBe(true);
  });
});
