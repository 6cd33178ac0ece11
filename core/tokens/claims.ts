/**
 * What a verified payload must say before it is somebody.
 *
 * @source RFC 7519 §4.1, RFC 9068 §2.2 (access tokens), RFC 8693 §4.2 (`scope`)
 */
import { type Person, type Principal, type Scope, TENANT_SCOPES } from "../principals/contract.ts";
import type { JsonObject } from "./strict-json.ts";

export const LEEWAY_SECONDS = 30;
export const LIFETIME_MAX_SECONDS = 3600;

/** What is expected of a token, by who issued it. */
export type Expectation = {
  readonly issuer: string;
  readonly audience: string;
  /** Nobody else may be addressed beside us. */
  readonly oneAudience: boolean;
  /** The claim that names the tenant, and how it may name the host's; absent: none is looked at. */
  readonly tenant?: {
    readonly claim: string;
    readonly names: readonly string[];
    readonly needed: boolean;
  };
  readonly maxLifetimeSeconds: number;
};

/** Epoch ms. */
export type Times = { readonly beganAtMs: number; readonly endsAtMs: number };

/** When the token began and ends, or why its claims do not hold. */
export function checkClaims(
  claims: JsonObject,
  expected: Expectation,
  nowMs: number,
): Times | "invalid" | "expired" {
  const { iss, aud, sub, exp, iat, nbf } = claims;
  if (iss !== expected.issuer || !addressed(aud, expected)) return "invalid";
  if (typeof sub !== "string" || !SUBJECT.test(sub)) return "invalid";
  if (!ofTenant(claims, expected)) return "invalid";
  if (!isTime(exp) || !isTime(iat) || (nbf !== undefined && !isTime(nbf))) return "invalid";
  if (exp <= iat || exp - iat > expected.maxLifetimeSeconds) return "invalid";
  const now = nowMs / 1000;
  if (iat > now + LEEWAY_SECONDS || (nbf ?? iat) > now + LEEWAY_SECONDS) return "invalid";
  if (exp + LEEWAY_SECONDS <= now) return "expired";
  return { beganAtMs: beginning(claims, iat), endsAtMs: exp * 1000 };
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
  const { sub, scope, agent_id: agentId, environment, project_id: projectId } = claims;
  const kind = typeof sub === "string" ? KINDS[sub.slice(0, 4)] : undefined;
  if (kind === undefined || typeof sub !== "string") return undefined;
  return {
    kind,
    id: sub,
    tenantId,
    scopes: scopesOf(scope),
    ...(typeof agentId === "string" ? { agentId } : {}),
    ...(typeof environment === "string" ? { environment } : {}),
    ...(typeof projectId === "string" ? { projectId } : {}),
  };
}

/** A user of somebody else's issuer; the issuer is part of the id, so that none can take ours. */
export function foreignPrincipal(claims: JsonObject, issuer: string, tenantId: string): Principal {
  const id = `${issuer}#${String(claims["sub"])}`;
  const person = personOf(claims);
  return { kind: "user", id, tenantId, scopes: scopesOf(claims["scope"]), person };
}

function personOf({ email, name, sessionId }: JsonObject): Person {
  const said = (claim: unknown) =>
    typeof claim === "string" && SUBJECT.test(claim) ? claim : null;
  return { email: said(email), name: said(name), sessionId: said(sessionId) };
}

const KINDS: Readonly<Record<string, Principal["kind"]>> = {
  key_: "key",
  usr_: "user",
  cli_: "app_client",
};

/** Becomes part of an id: no control characters, no half of a pair. */
const SUBJECT = /^[^\p{Cc}\p{Cs}]{1,255}$/u;
const AUDIENCES_MAX = 16;

function addressed(aud: unknown, { audience, oneAudience }: Expectation): boolean {
  if (aud === audience) return true;
  if (!Array.isArray(aud) || aud.length > (oneAudience ? 1 : AUDIENCES_MAX)) return false;
  return aud.includes(audience);
}

function ofTenant(claims: JsonObject, { tenant }: Expectation): boolean {
  if (tenant === undefined) return true;
  const named = Object.hasOwn(claims, tenant.claim) ? claims[tenant.claim] : undefined;
  if (named === undefined || named === null) return !tenant.needed;
  return typeof named === "string" && tenant.names.includes(named);
}

/** Ours say it to the millisecond: what was begun in the second of a sign-out counts or does not. */
function beginning({ iat_ms: exact }: JsonObject, iat: number): number {
  return isTime(exact) && Math.floor(exact / 1000) === Math.floor(iat) ? exact : iat * 1000;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
