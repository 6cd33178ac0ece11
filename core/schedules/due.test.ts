import { describe, expect, it } from "vitest";
import { dueOf } from "./due.ts";

const NOW = Date.parse("2026-11-20T12:00:30Z");
const MINUTE_MS = 60_000;
const at = (text: string) => Date.parse(`2026-11-${text}Z`);

const hourly = (missed: "skip" | "one" | "all") => ({ cron: "0 * * * *", zone: "UTC", missed });

describe("F77: occurrences that nobody fired in time", () => {
  it("what is on time is fired, whatever the rule", () => {
    for (const missed of ["skip", "one", "all"] as const) {
      expect(dueOf(hourly(missed), at("20T12:00:00"), NOW)).toEqual({
        fire: [at("20T12:00:00")],
        skipped: undefined,
        nextMs: at("20T13:00:00"),
      });
    }
  });

  it("skip: those that are late are gone", () => {
    const late = NOW + 10 * MINUTE_MS;
    expect(dueOf(hourly("skip"), at("20T09:00:00"), late)).toEqual({
      fire: [],
      skipped: at("20T12:00:00"),
      nextMs: at("20T13:00:00"),
    });
  });

  it("one: the last of them stands for all, and is not added to one that is on time", () => {
    const late = NOW + 10 * MINUTE_MS;
    expect(dueOf(hourly("one"), at("20T09:00:00"), late).fire).toEqual([at("20T12:00:00")]);
    expect(dueOf(hourly("one"), at("20T09:00:00"), NOW).fire).toEqual([at("20T12:00:00")]);
  });

  it("all: each of them, oldest first, and no more than a hundred", () => {
    expect(dueOf(hourly("all"), at("20T10:00:00"), NOW).fire).toEqual([
      at("20T10:00:00"),
      at("20T11:00:00"),
      at("20T12:00:00"),
    ]);
    const { fire, skipped } = dueOf(hourly("all"), at("10T12:00:00"), NOW);
    expect([fire.length, fire.at(0), fire.at(-1)]).toEqual([
      100,
      at("20T12:00:00") - 99 * 3_600_000,
      at("20T12:00:00"),
    ]);
    expect(skipped).toBe(at("20T12:00:00") - 100 * 3_600_000);
  });

  it("a rule of every minute that nobody fired for a year takes no year to decide about", () => {
    const every = { cron: "* * * * *", zone: "Europe/Berlin", missed: "all" } as const;
    const { fire } = dueOf(every, NOW - 365 * 86_400_000 - 30_000, NOW);
    expect([fire.length, fire.at(-1)]).toEqual([100, at("20T12:00:00")]);
  });
});
