import { expect, it } from "vitest";
import { costText, countText, prettyText, tookText, whenText } from "./format.ts";

it("writes money exactly to the micro-dollar, without trailing noise", () => {
  const micros = [0, 1, 1250, 10_000, 2_500_000, 12_345_678];
  expect(micros.map(costText)).toEqual([
    "$0",
    "$0.000001",
    "$0.00125",
    "$0.01",
    "$2.50",
    "$12.345678",
  ]);
});

it("writes how long something took, and nothing while it lasts", () => {
  const at = "2026-11-20T10:00:00.000Z";
  const ends = ["2026-11-20T10:00:00.840Z", "2026-11-20T10:00:01.240Z", "2026-11-20T10:02:03.000Z"];
  expect(ends.map((end) => tookText(at, end))).toEqual(["840 ms", "1.24 s", "2 min 03 s"]);
  expect(tookText(at, null)).toBe("");
});

it("shortens counts from ten thousand on", () => {
  expect([999, 9999, 12_345].map(countText)).toEqual(["999", "9,999", "12.3k"]);
});

it("names the day only of what was not today", () => {
  const now = new Date(2026, 10, 20, 12, 0, 0);
  const yesterday = new Date(2026, 10, 19, 9, 5, 7);
  expect(whenText(now.toISOString(), now.getTime())).toBe("12:00:00");
  expect(whenText(yesterday.toISOString(), now.getTime())).toBe("19 Nov, 09:05");
});

it("indents JSON and leaves every other text alone", () => {
  expect(prettyText('{"a":1}')).toBe('{\n  "a": 1\n}');
  expect(prettyText({ a: 1 })).toBe('{\n  "a": 1\n}');
  expect(prettyText("{broken")).toBe("{broken");
  expect(prettyText("42 is a number")).toBe("42 is a number");
});
