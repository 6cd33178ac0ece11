import { describe, expect, it } from "vitest";
import jwkVectors from "../../tests/fixtures/vectors/wycheproof_jwk.json" with { type: "json" };
import jwsVectors from "../../tests/fixtures/vectors/wycheproof_jws.json" with { type: "json" };
import type { Jwk } from "./jwk.ts";
import { openJws, verifyJws } from "./jws.ts";

type Group = {
  readonly comment: string;
  readonly public?: Jwk | { readonly keys: readonly Jwk[] };
  readonly private?: Jwk | { readonly keys: readonly Jwk[] };
  readonly tests: readonly {
    readonly tcId: number;
    readonly comment: string;
    readonly jws: string;
    readonly result: string;
  }[];
};

/** The data is wider than what is read of it. */
const groups = (vectors: unknown) => (vectors as { readonly testGroups: Group[] }).testGroups;

function keysOf(group: Group): readonly Jwk[] {
  const found = group.public ?? group.private;
  if (found === undefined) throw new Error("a group without a key");
  return "keys" in found && Array.isArray(found.keys) ? found.keys : [found as Jwk];
}

/**
 * Would any issuer whose key this is have the token accepted? An issuer is pinned to its key's
 * algorithm; a key that names none is tried with whatever the token asks for, as its attacker would.
 */
async function accepted(group: Group, token: string): Promise<boolean> {
  const jws = openJws(token);
  if (jws === undefined) return false;
  const keys = keysOf(group);
  const pinned = keys.map(({ alg }) => (typeof alg === "string" ? alg : jws.alg));
  const results = pinned.map((alg) => verifyJws(jws, alg, keys));
  return (await Promise.all(results)).some((payload) => payload !== undefined);
}

const all = [...groups(jwsVectors), ...groups(jwkVectors)];
const vectors = all.flatMap((group) => group.tests.map((test) => ({ group, test })));

it("F43: Wycheproof's vectors are all there", () => {
  expect(vectors).toHaveLength(401 + 26);
});

/**
 * Two vectors are called invalid for padding that is not there any more: each is byte for byte the
 * text of a valid one under the same key. No verifier can tell them apart.
 */
function mismarked(group: Group, token: string): boolean {
  return group.tests.some((test) => test.jws === token && test.result === "valid");
}

const named = (chosen: typeof vectors) =>
  chosen.map(({ group, test }) => {
    const name = `${group.comment} ${test.tcId} ${test.comment}`;
    return [name, group, test] as const;
  });

const invalid = vectors.filter(({ test }) => test.result !== "valid");

describe("F43: accepts none of the invalid signatures and keys of Wycheproof", () => {
  it.each(named(invalid.filter(({ group, test }) => !mismarked(group, test.jws))))(
    "%s",
    async (_name, group, test) => {
      expect(await accepted(group, test.jws)).toBe(false);
    },
  );

  it("of which two are marked so by mistake", () => {
    const mistaken = invalid.filter(({ group, test }) => mismarked(group, test.jws));
    expect(mistaken.map(({ test }) => test.tcId)).toEqual([367, 370]);
  });
});

/**
 * Refused although marked valid, on purpose: the key names `ES521`, which is no algorithm, or
 * another algorithm than the token (ours is pinned by the key); or a `?` stands in the base64url.
 */
function stricter(group: Group, token: string): boolean {
  const [key] = keysOf(group);
  return key?.["alg"] === "ES521" || key?.["alg"] !== openJws(token)?.alg;
}

describe("F43: accepts the valid ones of Wycheproof", () => {
  const valid = vectors.filter(({ test }) => test.result === "valid");

  it.each(named(valid.filter(({ group, test }) => !stricter(group, test.jws))))(
    "%s",
    async (_name, group, test) => {
      expect(await accepted(group, test.jws)).toBe(true);
    },
  );

  it("but for the six it is stricter with", () => {
    const few = valid.filter(({ group, test }) => stricter(group, test.jws));
    expect(few.map(({ test }) => test.tcId)).toEqual([346, 347, 350, 351, 372, 373]);
  });
});
