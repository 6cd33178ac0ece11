import { describe, expect, it } from "vitest";
import { ApprovalRule, type Deciding, type Vote, checkRule } from "./contract.ts";
import { type Open, decideOn } from "./decide.ts";
import { needsApproval } from "./rule.ts";

const NOW = 1_790_000_000_000;

const rule = (part: object = {}) => ApprovalRule.parse(part);

function open(part: Partial<Open> = {}): Open {
  return {
    kind: "tool",
    status: "pending",
    digest: "d",
    rule: rule(),
    votes: [],
    expiresMs: NOW + 1,
    own: ["key_runs"],
    ...part,
  };
}

function by(who: string, part: Partial<Deciding> = {}): Deciding {
  const base = { by: who, ids: [who], madeBy: null, roles: [], digest: "d" } as const;
  return { ...base, verdict: "approved", ...part };
}

/** Status after these votes, or the code of the first that is refused. */
function come(to: Open, ...says: readonly Deciding[]): string {
  let votes: readonly Vote[] = to.votes;
  let { status } = to;
  for (const said of says) {
    const decided = decideOn({ ...to, votes, status }, said, NOW);
    if (!decided.ok) return decided.problem.code;
    ({ votes, status } = decided);
  }
  return status;
}

describe("K9: a vote", () => {
  it.each([
    ["itself", by("key_runs")],
    ["whoever its key is of", by("usr_1", { ids: ["usr_1", "key_runs"] })],
    ["a key that it made", by("key_2", { madeBy: "key_runs" })],
  ])("of the run's own principal counts for nothing: %s", (_who, said) => {
    expect(come(open(), said)).toBe("forbidden");
  });

  it("is of whom the rule names, by id or by a role", () => {
    const named = open({ rule: rule({ deciders: { users: ["usr_1"], roles: ["operator"] } }) });
    expect(come(named, by("usr_2"))).toBe("forbidden");
    expect(come(named, by("usr_1"))).toBe("approved");
    expect(come(named, by("usr_2", { roles: ["operator"] }))).toBe("approved");
    expect(come(open({ rule: rule({ deciders: { roles: ["operator"] } }) }), by("usr_1"))).toBe(
      "forbidden",
    );
  });

  it("is about what was read", () => {
    expect(come(open(), by("usr_1", { digest: "other" }))).toBe("version_conflict");
  });

  it("of the same person replaces the earlier; a quorum is of different people", () => {
    const two = open({ rule: rule({ quorum: 2 }) });
    expect(come(two, by("usr_1"), by("usr_1"))).toBe("pending");
    expect(come(two, by("usr_1"), by("usr_2"))).toBe("approved");
    expect(come(two, by("usr_1"), by("usr_2", { verdict: "rejected" }))).toBe("rejected");
  });

  it("for another thing counts for that thing alone", () => {
    const two = open({ rule: rule({ quorum: 2 }) });
    const edit = { arguments: { amount: 1 } };
    expect(come(two, by("usr_1"), by("usr_2", edit))).toBe("pending");
    expect(come(two, by("usr_1"), by("usr_2", edit), by("usr_3", edit))).toBe("approved");
    expect(come(open({ rule: rule({ editable: false }) }), by("usr_1", edit))).toBe("forbidden");
  });

  it("after the decision: the same is no error, another is refused, and none comes too late", () => {
    expect(come(open(), by("usr_1"), by("usr_2"))).toBe("approved");
    expect(come(open(), by("usr_1"), by("usr_2", { verdict: "rejected" }))).toBe("conflict");
    expect(come(open(), by("usr_1"), by("usr_2", { arguments: { a: 1 } }))).toBe("conflict");
    expect(come(open({ expiresMs: NOW }), by("usr_1"))).toBe("approval_expired");
    expect(come(open({ status: "cancelled" }), by("usr_1"))).toBe("conflict");
  });

  it("says that it happened of what was sent alone", () => {
    const said = by("usr_1", { verdict: "happened", result: "ok" });
    expect(come(open(), said)).toBe("conflict");
    expect(come(open({ kind: "effect" }), said)).toBe("happened");
    expect(come(open({ kind: "effect" }), by("usr_1", { arguments: {} }))).toBe("forbidden");
  });
});

describe("K9: a rule", () => {
  const asks = (op: string, value: unknown, args: unknown) =>
    needsApproval(rule({ when: [{ argument: "/a/b", op, value }] }), args);

  it.each([
    ["equals", 1, { a: { b: 1 } }, true],
    ["equals", 1, { a: { b: 2 } }, false],
    ["not_equals", "x", { a: { b: "x" } }, false],
    ["above", 100, { a: { b: 100 } }, false],
    ["at_least", 100, { a: { b: 100 } }, true],
    ["below", 5, { a: { b: 4 } }, true],
    ["at_most", 5, { a: { b: 6 } }, false],
    ["exists", undefined, { a: { b: null } }, true],
    ["exists", undefined, { a: {} }, false],
  ])("%s %s of %j: %s", (op, value, args, expected) => {
    expect(asks(op, value, args)).toBe(expected);
  });

  it("asks people where it cannot tell", () => {
    expect(asks("above", 100, {})).toBe(true);
    expect(asks("above", 100, { a: { b: "1e9" } })).toBe(true);
    expect(asks("above", 100, { a: { b: [101] } })).toBe(true);
    expect(asks("equals", 1, JSON.parse('{"__proto__":{"b":2}}'))).toBe(true);
  });

  it("that nobody could meet is no rule", () => {
    const none = rule({ deciders: { users: ["usr_1"] }, quorum: 2 });
    expect(checkRule(none, "/x")).toMatchObject([{ pointer: "/x/quorum" }]);
    const blank = rule({ when: [{ argument: "/a", op: "above" }] });
    expect(checkRule(blank, "/x")).toMatchObject([{ pointer: "/x/when/0/value" }]);
  });
});
