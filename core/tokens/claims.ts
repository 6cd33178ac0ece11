/**
 * What a verified payload must say before it is somebody.
 *
 * @source RFC 7519 §4.1, RFC 9068 §2.2 (access tokens), RFC 8693 §4.2 (`scope`)
 */
import { type Principal, type Scope, TENANT_SCOPES } from "../principals/contract.ts";
import type { JsonObject } from "./strict-json.ts";

export const LEEWAY_SECONDS = 30;
export const LIFETIME_MAX_SECONDS = 3600;

/** What is expected of a token, by who issued it. */
export type Expectation = {
  readonly issuer: string;
  readonly audience: string;
  readonly tenantClaim: string;
  /** The host's tenant as the claim may name it. */
  readonly tenantNames: readonly string[];
};

/** Epoch ms of the end, or why the claims do not hold. */
export function checkClaims(
  claims: JsonObject,
  expected: Expectation,
  nowMs: number,
): number | "invalid" | "expired" {
  const { iss, aud, sub, exp, iat, nbf } = claims;
  if (iss !== expected.issuer || !addressed(aud, expected.audience)) return "invalid";
  if (typeof sub !== "string" || sub.length < 1 || sub.length > 255) return "invalid";
  const tenant = claims[expected.tenantClaim];
  if (typeof tenant !== "string" || !expected.tenantNames.includes(tenant)) return "invalid";
  if (!isTime(exp) || !isTime(iat) || (nbf !== undefined && !isTime(nbf))) return "invalid";
  if (exp <= iat || exp - iat > LIFETIME_MAX_SECONDS) return "invalid";
  const now = nowMs / 1000;
  if (iat > now + LEEWAY_SECONDS || (nbf ?? iat) > now + LEEWAY_SECONDS) return "invalid";
  return exp + LEEWAY_SECONDS <= now ? "expired" : exp * 1000;
}

/** The scopes of the claim that a tenant's principal can hold at all. */
export function scopesOf(scope: unknown): readonly Scope[] {
  if (typeof scope !== "string") return [];
  const asked = new Set(scope.split(" "));
  return TENANT_SCOPES.filter((it) => asked.has(it));
}

/**
 * Whoever one of our own tokens speaks for; `undefined` when `sub` is no id of ours.
 * Narrowing is copied from what the token was minted for.
 */
export function ownPrincipal(claims: JsonObject, tenantId: string): Principal | undefined {
  const { sub, scope, agent_id: agentId, environment } = claims;
  const kind = typeof sub === "string" ? KINDS[sub.slice(0, 4)] : undefined;
  if (kind === undefined || typeof sub !== "string") return undefined;
  return {
    kind,
    id: sub,
    tenantId,
    scopes: scopesOf(scope),
    ...(typeof agentId === "string" ? { agentId } : {}),
    ...(typeof environment === "string" ? { environment } : {}),
  };
}

/** A user of somebody else's issuer; the issuer is part of the id, so that none can take ours. */
export function foreignPrincipal(claims: JsonObject, issuer: string, tenantId: string): Principal {
  const id = `${issuer}#${String(claims["sub"])}`;
  return { kind: "user", id, tenantId, scopes: scopesOf(claims["scope"]) };
}

const KINDS: Readonly<Record<string, Principal["kind"]>> = {
  key_: "key",
  usr_: "user",
  cli_: "app_client",
};

function addressed(aud: unknown, audience: string): boolean {
  return aud === audience || (Array.isArray(aud) && aud.length === 1 && aud[0] === audience);
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
