import { describe, expect, it } from "vitest";
import type { Rules } from "./contract.ts";
import { allowancesOf, invocationBudget, stopOf, userOf, type Who } from "./rules.ts";
import { windowOf } from "./windows.ts";

const WHO: Who = {
  tenantId: "ten_1",
  agentId: "agt_1",
  projectId: "prj_1",
  principal: "key_1",
  userId: "ada",
};
const NOON = Date.UTC(2026, 1, 28, 12, 34, 56, 789);

const rate = (level: Rules["limits"][number]["level"], subject: string | null) => {
  return { id: `lim_${level}`, revision: 1, level, subject, per: "minute", limit: 3 } as const;
};
const budget = (period: Rules["budgets"][number]["period"], amountMicros: number) => ({
  ...({ id: `bud_${amountMicros}`, revision: 1, level: "tenant", subject: null, period } as const),
  ...({ amountMicros, warnAtPct: [80], exhausted: "fail" } as const),
});
const rules = (part: Partial<Rules>): Rules => ({ limits: [], budgets: [], stops: [], ...part });
const names = (part: Partial<Rules>, who = WHO) =>
  allowancesOf(rules(part), who, NOON).map(({ id }) => id);

describe("what an invocation is held to", () => {
  it("F175: is what is about it, each with a counter of its own where it is about each", () => {
    const limits = [
      rate("tenant", null),
      rate("project", "prj_1"),
      rate("key", "*"),
      rate("agent", "agt_2"),
      rate("user", "ada"),
    ];
    expect(names({ limits })).toEqual(["lim_tenant", "lim_project", "lim_key/key_1", "lim_user"]);
  });

  it("F36: of a key is nothing to a user or an app client", () => {
    const limits = [rate("key", "*")];
    expect(names({ limits }, { ...WHO, principal: "usr_1" })).toEqual([]);
    expect(names({ limits }, { ...WHO, principal: "cli_1" })).toEqual([]);
  });

  it("F176: of budgets of one invocation the lowest, and they are leased from nobody", () => {
    const budgets = [budget("invocation", 9), budget("invocation", 5), budget("day", 1)];
    expect(invocationBudget(rules({ budgets }), WHO)?.amountMicros).toBe(5);
    expect(names({ budgets })).toEqual(["bud_1"]);
  });

  it("K5: a stop holds whom it is about", () => {
    const stop = { id: "stp_1", level: "user", subject: "ada", reason: "r" } as const;
    expect(stopOf(rules({ stops: [stop] }), WHO)).toEqual(stop);
    expect(stopOf(rules({ stops: [stop] }), { ...WHO, userId: "bob" })).toBeUndefined();
  });
});

describe("whom an invocation is made for", () => {
  it("F176: is the person, whatever is said; else who is named; else the caller", () => {
    expect(userOf("usr_1", { user_id: "ada" })).toBe("usr_1");
    expect(userOf("key_1", { user_id: "ada" })).toBe("ada");
    expect(userOf("cli_1", {})).toBe("cli_1");
  });
});

describe("a period", () => {
  it("is the clock's own, in UTC, and the next begins where it ends", () => {
    for (const per of ["minute", "hour", "day", "month"] as const) {
      const { sinceMs, endsMs } = windowOf(per, NOON);
      expect(sinceMs).toBeLessThanOrEqual(NOON);
      expect(endsMs).toBeGreaterThan(NOON);
      expect(windowOf(per, endsMs ?? 0).sinceMs).toBe(endsMs);
      expect(windowOf(per, (endsMs ?? 0) - 1).sinceMs).toBe(sinceMs);
    }
    expect(windowOf("month", NOON)).toEqual({
      sinceMs: Date.UTC(2026, 1, 1),
      endsMs: Date.UTC(2026, 2, 1),
    });
  });

  it("never ends where there is none", () => {
    expect(windowOf("total", NOON)).toEqual({ sinceMs: 0, endsMs: null });
    expect(windowOf("concurrency", NOON)).toEqual({ sinceMs: 0, endsMs: null });
  });
});
