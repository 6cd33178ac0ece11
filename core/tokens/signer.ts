/** Our own tokens: minted here, verified by `TokenVerifier` against the public half. */
import { CompactSign, importJWK } from "jose";
import type { SigningJwk, TokenJwk } from "../config.ts";
import { newId } from "../ids.ts";
import type { Principal, Scope } from "../principals/contract.ts";
import { LIFETIME_MAX_SECONDS } from "./claims.ts";
import type { Jwk } from "./jwk.ts";

export const TOKEN_TYPE = "at+jwt";

export type Grant = {
  readonly principal: Principal;
  readonly tenantId: string;
  /** Of the tenant's host: issuer and audience in one, so a token is good at one host only. */
  readonly origin: string;
  /** A subset of the principal's; all of them when absent. */
  readonly scopes?: readonly Scope[];
  /** Seconds, at most an hour. */
  readonly lifetimeSeconds?: number;
  /** The client it was asked by; the principal itself when absent. */
  readonly clientId?: string;
};

/**
 * An access token for `principal` at one tenant's host.
 *
 * @throws RangeError  for a lifetime or a tenant it could never be accepted with: a defect.
 * @source RFC 9068 §2
 */
export async function issueToken(jwk: SigningJwk, grant: Grant, nowMs: number): Promise<string> {
  const { principal, tenantId, origin, lifetimeSeconds = LIFETIME_MAX_SECONDS } = grant;
  const lasting = lifetimeSeconds > 0 && lifetimeSeconds <= LIFETIME_MAX_SECONDS;
  if (!lasting || principal.tenantId !== tenantId) throw new RangeError("no such token");
  const iat = Math.floor(nowMs / 1000);
  const asked = grant.scopes ?? principal.scopes;
  const claims = {
    iss: origin,
    aud: origin,
    sub: principal.id,
    client_id: grant.clientId ?? principal.id,
    tenant_id: tenantId,
    scope: principal.scopes.filter((scope) => asked.includes(scope)).join(" "),
    agent_id: principal.agentId,
    environment: principal.environment,
    project_id: principal.projectId,
    iat,
    iat_ms: nowMs,
    exp: iat + lifetimeSeconds,
    jti: newId("event", nowMs),
  };
  const alg = signingAlg(jwk);
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg, typ: TOKEN_TYPE, kid: jwk.kid })
    .sign(await importJWK(jwk, alg));
}

/** The public halves, for our own verifier and for `/.well-known/jwks.json`. */
export function publicJwks(keys: readonly TokenJwk[]): { readonly keys: readonly Jwk[] } {
  return { keys: keys.map(publicHalf) };
}

/** Member by member: nothing that is not public can slip through. */
function publicHalf(jwk: TokenJwk): Jwk {
  const { kty, crv, x, kid } = jwk;
  const alg = signingAlg(jwk);
  return { kty, crv, x, ...(jwk.kty === "EC" ? { y: jwk.y } : {}), kid, alg, use: "sig" };
}

function signingAlg(jwk: TokenJwk): "EdDSA" | "ES256" {
  return jwk.kty === "OKP" ? "EdDSA" : "ES256";
}
