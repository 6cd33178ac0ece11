/**
 * The proof of an erasure: what was erased, when, and what will still hold copies until when.
 *
 * A JWS signed with the key our tokens are signed with, but of a type of its own, so that neither
 * can pass for the other. Verified with the key set at the platform's host (docs/security.md).
 *
 * @source RFC 7515; the type as RFC 8725 §3.11 advises
 */
import { CompactSign, importJWK } from "jose";
import type { SigningJwk } from "../config.ts";
import type { ErasureRow } from "./store.ts";

export const CERTIFICATE_TYPE = "berth-erasure+jwt";

/** Copies that age out by themselves, in days from the erasure. */
const WINDOWS = {
  /** D1's time travel and Neon's history, at their longest. */
  control_plane_backups_days: 30,
  /** Point-in-time recovery of objects' databases. */
  object_backups_days: 30,
  /** What a queue may still hold: ids alone, of something that is not there. */
  queue_messages_days: 14,
} as const;

/** @param issuer  The platform's origin: where the key set is. */
export async function signCertificate(
  jwk: SigningJwk,
  issuer: string,
  row: ErasureRow,
  nowMs: number,
): Promise<string> {
  const { rows = {}, objects = 0, hostnames = 0 } = row.counts ?? {};
  const claims = {
    iss: issuer,
    sub: row.tenantId,
    jti: row.id,
    iat: Math.floor(nowMs / 1000),
    slug: row.slug,
    requested_at: new Date(row.requestedAtMs).toISOString(),
    erased_at: new Date(nowMs).toISOString(),
    stores: {
      control_plane: { rows: { ...rows, tenant: 1 } },
      agent_objects: { objects },
      tenant_gate: { objects: 1 },
      custom_hostnames: { hostnames },
    },
    /** SHA-256 of each data key that was destroyed, base64url. */
    destroyed_keys: row.keys ?? [],
    windows: WINDOWS,
  };
  const alg = jwk.kty === "OKP" ? "EdDSA" : "ES256";
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg, typ: CERTIFICATE_TYPE, kid: jwk.kid })
    .sign(await importJWK(jwk, alg));
}
