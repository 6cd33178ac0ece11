import { exportJWK, generateKeyPair } from "jose";
import { expect, it } from "vitest";
import vectors from "../../tests/fixtures/vectors/wycheproof_jwk.json" with { type: "json" };
import { canonicalBytes } from "./base64url.ts";
import { rocaPrint } from "./roca.ts";

function printOf(n: string | undefined): boolean {
  const modulus = n === undefined ? undefined : canonicalBytes(n);
  if (modulus === undefined) throw new Error("not a modulus");
  return rocaPrint(modulus);
}

it("F43: knows the keys of the broken generator by their print", () => {
  const group = vectors.testGroups.find(({ comment }) => comment === "jws_rsa_roca_key");
  const [key] = group?.public?.keys ?? [];
  expect(printOf(key !== undefined && "n" in key ? key.n : undefined)).toBe(true);
});

it("takes no sound key for one", async () => {
  const sound = Array.from({ length: 3 }, async () => {
    const { publicKey } = await generateKeyPair("RS256");
    return printOf((await exportJWK(publicKey)).n);
  });
  expect(await Promise.all(sound)).toEqual([false, false, false]);
});
