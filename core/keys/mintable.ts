import { beyond } from "../principals/beyond.ts";
import type { Principal, Scope } from "../principals/contract.ts";
import type { Conditions } from "../principals/grants.ts";
import type { ProblemPlace } from "../problem.ts";

/** What a key is to hold. Absent narrowing means any; absent rules are none. */
export type WantedKey = {
  readonly scopes: readonly Scope[];
  readonly projectId?: string | null | undefined;
  readonly agentId?: string | null | undefined;
  readonly environment?: string | null | undefined;
  readonly ownerId?: string | null | undefined;
  readonly expiresAtMs?: number | null | undefined;
  readonly allowedOrigins?: readonly string[] | null | undefined;
  readonly allowedIps?: readonly string[] | null | undefined;
};

/** The rules of the key that mints; a principal that is no key has none. */
export type OwnRules = Omit<WantedKey, "scopes" | "projectId" | "agentId" | "environment"> & {
  readonly rateLimits: readonly unknown[] | null;
  readonly credits: unknown;
};

/**
 * What `principal` may not give away: a key mints only a subset of itself (DECISIONS 25).
 *
 * A narrowed principal must name its own narrowing, and a key its own rules: leaving one out asks
 * for more than it has. A key with limits of its own gives nothing away, or it could make itself
 * more of them. The platform mints for tenants, but never its own scopes.
 *
 * @returns  The places of the wish that go too far; empty when it may be minted.
 */
export function mintable(
  principal: Principal,
  wanted: WantedKey,
  own?: OwnRules,
): readonly ProblemPlace[] {
  const tooMuch = new Set(
    beyond(giver(principal, wanted), wanted.scopes, placeOf(principal, wanted)),
  );
  const faults: ProblemPlace[] = wanted.scopes.flatMap((scope, index) =>
    tooMuch.has(scope) ? [{ pointer: `/scopes/${index}`, detail: "a scope you do not hold" }] : [],
  );
  for (const [pointer, held, asked] of [
    ["/project", principal.projectId, wanted.projectId],
    ["/agent", principal.agentId, wanted.agentId],
    ["/environment", principal.environment, wanted.environment],
  ] as const) {
    if (held === undefined || asked === held) continue;
    faults.push({ pointer, detail: "your own key is narrowed to another one" });
  }
  return own === undefined ? faults : [...faults, ...beyondRules(own, wanted)];
}

/** A person's own key is bounded by that person's statements whenever it is used. */
function giver(principal: Principal, { ownerId }: WantedKey): Principal {
  if ((ownerId ?? null) === null || principal.grants === undefined) return principal;
  const { grants: _grants, ...unconditional } = principal;
  return unconditional;
}

/** Where the key may act; a narrowing that the principal lacks room for is told of on its own. */
function placeOf(principal: Principal, wanted: WantedKey): Conditions {
  const projectId = principal.projectId ?? wanted.projectId;
  const agentId = principal.agentId ?? wanted.agentId;
  const environment = principal.environment ?? wanted.environment;
  return {
    ...(projectId ? { projects: [projectId] } : {}),
    ...(agentId ? { agents: [agentId] } : {}),
    ...(environment ? { environments: [environment] } : {}),
  };
}

function beyondRules(own: OwnRules, wanted: WantedKey): readonly ProblemPlace[] {
  const faults: ProblemPlace[] = [];
  if ((own.ownerId ?? null) !== null && wanted.ownerId !== own.ownerId) {
    faults.push({ pointer: "/owner", detail: "your own key is a person's" });
  }
  const ends = own.expiresAtMs ?? null;
  if (ends !== null && (wanted.expiresAtMs ?? Number.POSITIVE_INFINITY) > ends) {
    faults.push({ pointer: "/expires_at", detail: "your own key ends before" });
  }
  for (const [pointer, held, asked] of [
    ["/allowed_origins", own.allowedOrigins, wanted.allowedOrigins],
    ["/allowed_ips", own.allowedIps, wanted.allowedIps],
  ] as const) {
    if (!held || asked?.every((one) => held.includes(one))) continue;
    faults.push({ pointer, detail: "your own key is held to fewer" });
  }
  if (own.rateLimits !== null || own.credits !== null) {
    faults.push({ pointer: "", detail: "a key with limits of its own gives none away" });
  }
  return faults;
}
