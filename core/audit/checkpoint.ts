/**
 * A mark of the chain under the key that our tokens are signed with: whoever keeps one can show
 * later what the trail was, without believing us.
 */
import { CompactSign, importJWK } from "jose";
import type { SigningJwk } from "../config.ts";
import { rfc3339 } from "../clock.ts";
import { canonical } from "../json/canonical.ts";
import type { Jwk } from "../tokens/jwk.ts";
import { openJws, verifyJws } from "../tokens/jws.ts";
import type { Checkpoint, Mark } from "./contract.ts";

/** Told apart from every other thing the key signs. @source RFC 8725 §3.11 */
const CHECKPOINT_TYPE = "berth-checkpoint+jws";

export async function signCheckpoint(
  jwk: SigningJwk,
  tenantId: string,
  { seq, hash }: Mark,
  nowMs: number,
): Promise<Checkpoint> {
  const at = rfc3339(nowMs);
  const alg = jwk.kty === "OKP" ? "EdDSA" : "ES256";
  const signature = await new CompactSign(
    new TextEncoder().encode(canonical({ tenant_id: tenantId, seq, hash, at })),
  )
    .setProtectedHeader({ alg, typ: CHECKPOINT_TYPE, kid: jwk.kid })
    .sign(await importJWK(jwk, alg));
  return { seq, hash, at, kid: jwk.kid, signature };
}

/**
 * Does the signature say what the checkpoint says?
 *
 * @param keys  As `/.well-known/jwks.json` publishes them.
 * @returns     `unknown` when the key it names is none of them: it is configured no more.
 */
export async function judgeCheckpoint(
  checkpoint: Checkpoint,
  tenantId: string,
  keys: readonly Jwk[],
): Promise<"signed" | "forged" | "unknown"> {
  const { seq, hash, at, kid, signature } = checkpoint;
  const key = keys.find((one) => one["kid"] === kid);
  if (key === undefined) return "unknown";
  const jws = openJws(signature);
  if (jws?.typ !== CHECKPOINT_TYPE || jws.kid !== kid) return "forged";
  const payload = await verifyJws(jws, String(key["alg"]), [key]);
  if (payload === undefined) return "forged";
  const said = canonical({ tenant_id: tenantId, seq, hash, at });
  return new TextDecoder().decode(payload) === said ? "signed" : "forged";
}
