import { describe, expect, it } from "vitest";
import {
  KEY_HOLDER,
  NOW,
  ORIGIN,
  TENANT,
  at,
  codeOf,
  signingJwk,
  verifierFor,
} from "../../tests/fixtures/forged-tokens.ts";
import type { SigningJwk } from "../config.ts";
import { issueToken, publicJwks } from "./signer.ts";

const old = await signingJwk("EdDSA", "2026-10");
const next = await signingJwk("ES256", "2026-11");
const publicHalf = (jwk: SigningJwk) => ({ ...jwk, d: undefined });

const grant = { principal: KEY_HOLDER, tenantId: TENANT.id, origin: ORIGIN };
const signedBy = (jwk: SigningJwk) => issueToken(jwk, grant, NOW);
const accepted = `accepted as ${KEY_HOLDER.id}`;

describe("F27: rotation of the signing key, between two algorithms", () => {
  it("a key that will sign verifies already, and is published", async () => {
    const before = verifierFor({ keys: [old, next] });
    expect(await codeOf(await signedBy(old), at(), before)).toBe(accepted);
    expect(await codeOf(await signedBy(next), at(), before)).toBe(accepted);
    expect(publicJwks([old, next]).keys.map(({ kid, alg }) => [kid, alg])).toEqual([
      ["2026-10", "EdDSA"],
      ["2026-11", "ES256"],
    ]);
  });

  it("tokens of the key that signed before are good until they expire, by its public half", async () => {
    const token = await signedBy(old);
    const after = verifierFor({ keys: [next, publicHalf(old)] });
    expect(await codeOf(token, at(), after)).toBe(accepted);
    expect(await codeOf(token, at({ nowMs: NOW + 3_629_999 }), after)).toBe(accepted);
    expect(await codeOf(token, at({ nowMs: NOW + 3_630_000 }), after)).toBe("token_expired");
  });

  it("F43: a key that is gone, and one that never was, verify nothing", async () => {
    const gone = verifierFor({ keys: [next] });
    expect(await codeOf(await signedBy(old), at(), gone)).toBe("invalid_token");
    const stranger = await signingJwk("EdDSA", "2026-12");
    const both = verifierFor({ keys: [next, publicHalf(old)] });
    expect(await codeOf(await signedBy(stranger), at(), both)).toBe("invalid_token");
  });

  it("F43: a key verifies under its own name and algorithm alone", async () => {
    const both = verifierFor({ keys: [next, publicHalf(old)] });
    const renamed = { ...old, kid: next.kid };
    expect(await codeOf(await signedBy(renamed), at(), both)).toBe("invalid_token");
  });
});
