import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Cron, parseCron } from "./cron.ts";
import { isZone, nextOccurrence, nextOccurrences } from "./occurrences.ts";

function cron(text: string): Cron {
  const parsed = parseCron(text);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

const runs = (text: string, zone: string, from: string, count = 3) =>
  nextOccurrences(cron(text), zone, Date.parse(from), count).map((at) =>
    new Date(at).toISOString().replace(":00.000Z", "Z"),
  );

describe("F77: a cron expression", () => {
  it.each([
    ["* * * *", "five fields"],
    ["60 * * * *", "60 is no minute"],
    ["* 24 * * *", "24 is no hour"],
    ["* * 0 * *", "0 is no day of month"],
    ["* * * 13 *", "13 is no month"],
    ["* * * * 8", "8 is no day of week"],
    ["*/0 * * * *", "*/0 is no minute"],
    ["5-1 * * * *", "5-1 is no minute"],
    ["1,,2 * * * *", "nothing is no minute"],
    ["0 0 31 4 *", "no such day ever comes"],
    ["0 0 30 2 *", "no such day ever comes"],
    ["@sometimes", "five fields"],
  ])("refuses %s", (text, why) => {
    expect(parseCron(text)).toContain(why);
  });

  it.each([
    ["0 9 * * MON-FRI", "UTC", ["2026-11-23T09:00Z", "2026-11-24T09:00Z", "2026-11-25T09:00Z"]],
    ["*/20 8 * * *", "UTC", ["2026-11-21T08:00Z", "2026-11-21T08:20Z", "2026-11-21T08:40Z"]],
    ["0 0 29 2 *", "UTC", ["2028-02-29T00:00Z", "2032-02-29T00:00Z", "2036-02-29T00:00Z"]],
    ["0 0 1 * SUN", "UTC", ["2026-11-22T00:00Z", "2026-11-29T00:00Z", "2026-12-01T00:00Z"]],
    [
      "30 18 * * 7",
      "Asia/Kolkata",
      ["2026-11-22T13:00Z", "2026-11-29T13:00Z", "2026-12-06T13:00Z"],
    ],
    ["5/30 * * * *", "UTC", ["2026-11-20T20:05Z", "2026-11-20T20:35Z", "2026-11-20T21:05Z"]],
    [
      "@monthly",
      "Pacific/Auckland",
      ["2026-11-30T11:00Z", "2026-12-31T11:00Z", "2027-01-31T11:00Z"],
    ],
  ])("%s in %s", (text, zone, expected) => {
    expect(runs(text, zone, "2026-11-20T20:00:00Z")).toEqual(expected);
  });

  it("F77: a wall time that is skipped comes true once, when clocks have gone forward", () => {
    // Berlin, 28 March 2027: 02:00 becomes 03:00 at 01:00 UTC.
    expect(runs("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z")).toEqual([
      "2027-03-28T01:00Z",
      "2027-03-29T00:30Z",
      "2027-03-30T00:30Z",
    ]);
    expect(runs("*/10 2 * * *", "Europe/Berlin", "2027-03-28T00:30:00Z", 2)).toEqual([
      "2027-03-28T01:00Z",
      "2027-03-29T00:00Z",
    ]);
  });

  it("F77: a wall time that comes twice counts the first time", () => {
    // Berlin, 31 October 2027: 03:00 becomes 02:00 at 01:00 UTC.
    expect(runs("30 2 * * *", "Europe/Berlin", "2027-10-30T12:00:00Z")).toEqual([
      "2027-10-31T00:30Z",
      "2027-11-01T01:30Z",
      "2027-11-02T01:30Z",
    ]);
  });

  it("F77: an interval counts hours as they pass: a skipped one is none, a repeated one two", () => {
    expect(runs("0 * * * *", "Europe/Berlin", "2027-03-28T00:00:00Z")).toEqual([
      "2027-03-28T01:00Z",
      "2027-03-28T02:00Z",
      "2027-03-28T03:00Z",
    ]);
    expect(runs("30 * * * *", "Europe/Berlin", "2027-10-31T00:00:00Z")).toEqual([
      "2027-10-31T00:30Z",
      "2027-10-31T01:30Z",
      "2027-10-31T02:30Z",
    ]);
  });

  it("F77: a day whose midnight is skipped still has its midnight run", () => {
    // Cairo, 30 April 2027: 00:00 becomes 01:00.
    const [first] = runs("0 0 * * *", "Africa/Cairo", "2027-04-29T12:00:00Z", 1);
    expect(first).toBe("2027-04-29T22:00Z");
  });

  it("half-hour changes are no special case", () => {
    // Lord Howe, 4 October 2026: 02:00 becomes 02:30.
    expect(runs("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", 2)).toEqual([
      "2026-10-03T15:30Z",
      "2026-10-04T15:15Z",
    ]);
  });

  it("knows a zone from a word", () => {
    expect([isZone("Europe/Berlin"), isZone("Mars/Olympus"), isZone("")]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it("for any rule and zone: later than asked, to the minute, and none between is left out", () => {
    const zones = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Africa/Cairo"];
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 59 }),
        fc.integer({ min: 0, max: 23 }),
        fc.constantFrom(...zones),
        fc.integer({ min: 1_790_000_000, max: 1_900_000_000 }),
        (minute, hour, zone, second) => {
          const rule = cron(`${minute} ${hour} * * *`);
          const after = second * 1000;
          const next = nextOccurrence(rule, zone, after) ?? 0;
          expect(next).toBeGreaterThan(after);
          expect(next % 60_000).toBe(0);
          expect(next - after).toBeLessThanOrEqual(25 * 3_600_000);
          expect(nextOccurrence(rule, zone, next - 1)).toBe(next);
        },
      ),
      { numRuns: 300 },
    );
  });
});
