import { describe, expect, it } from "vitest";
import { newId } from "../ids.ts";
import { type Homes, homeOfCall, homesAfter, shareOf } from "./homes.ts";

const NOON = Date.UTC(2026, 10, 20, 12);
const TAGS = ["aaaaaa", "bbbbbb", "cccccc", "dddddd"];
const of = (size: number, sizes: readonly number[] = [size]): Homes => ({
  tags: TAGS.slice(0, Math.max(...sizes)),
  sizes,
});
const names = Array.from({ length: 400 }, (_, i) => `session ${i}`);
const homeOf = (homes: Homes, sessionId: string) =>
  homeOfCall(homes, { principal: "key_a", sessionId }, () => 0);

describe("homes", () => {
  it("H1: a session's id names its object, whatever the number of replicas is", () => {
    const sessionId = newId("session", NOON, "dddddd");
    expect(homeOf(of(4), sessionId)).toEqual({ replica: 3, earlier: [] });
    expect(homeOf(of(1, [4, 1]), sessionId)).toEqual({ replica: 3, earlier: [] });
    expect(homeOf(of(2), newId("session", NOON, "zzzzzz"))).toEqual({ replica: 0, earlier: [] });
  });

  it("H2: names are spread evenly, and one name of one principal has one home", () => {
    const counts = [0, 0, 0, 0];
    for (const name of names) {
      const { replica, earlier } = homeOf(of(4), name);
      expect(earlier).toEqual([]);
      expect(homeOf(of(4), name).replica).toBe(replica);
      counts[replica] = (counts[replica] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(60);
    const key = { principal: "key_a", idempotencyKey: "k" };
    expect(homeOfCall(of(4), key, () => 0)).toEqual(homeOfCall(of(4), key, () => 0.9));
    const other = names.map((name) =>
      homeOfCall(of(4), { principal: "key_b", sessionId: name }, () => 0),
    );
    expect(other.map(({ replica }) => replica)).not.toEqual(
      names.map((name) => homeOf(of(4), name).replica),
    );
  });

  it("H2: after a resize the places a name may have been given before are told", () => {
    for (const name of names) {
      const before = homeOf(of(2), name).replica;
      const { replica, earlier } = homeOf(of(4, [2, 4]), name);
      expect([replica, ...earlier]).toContain(before);
    }
  });

  it("H3: a growth moves names to new replicas only", () => {
    const moved = names.filter(
      (name) => homeOf(of(2), name).replica !== homeOf(of(3), name).replica,
    );
    expect(moved.length).toBeGreaterThan(0);
    expect(new Set(moved.map((name) => homeOf(of(3), name).replica))).toEqual(new Set([2]));
  });

  it("a call that names nothing goes anywhere there is a replica now", () => {
    const nothing = { principal: "key_a" };
    expect(homeOfCall(of(4), nothing, () => 0.99)).toEqual({ replica: 3, earlier: [] });
    expect(homeOfCall(of(2, [4, 2]), nothing, () => 0.99)).toEqual({ replica: 1, earlier: [] });
  });
});

describe("after a deployment", () => {
  it("an agent that never had more than one replica has no homes to tell", () => {
    expect(homesAfter(null, ["aaaaaa"], 1, true)).toBeNull();
  });

  it("a first deployment with several knows one size, a later one those before it too", () => {
    expect(homesAfter(null, TAGS, 4, false)).toEqual({ tags: TAGS, sizes: [4] });
    expect(homesAfter(null, TAGS, 4, true)).toEqual({ tags: TAGS, sizes: [1, 4] });
    const shrunk = homesAfter(of(4, [1, 4]), TAGS, 2, true);
    expect(shrunk).toEqual({ tags: TAGS, sizes: [1, 4, 2] });
    expect(homesAfter(shrunk, TAGS, 4, true)).toEqual({ tags: TAGS, sizes: [1, 2, 4] });
  });
});

it("G8: the shares of a limit are together the limit", () => {
  for (const [limit, objects] of [
    [10, 3],
    [2, 4],
    [7, 7],
    [1_000_000, 32],
  ] as const) {
    const shares = Array.from({ length: objects }, (_, replica) =>
      shareOf(limit, replica, objects),
    );
    expect(shares.reduce((sum, share) => sum + share, 0)).toBe(limit);
  }
});
