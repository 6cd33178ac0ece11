import type { Meter } from "../limits/contract.ts";
import type { Grant } from "./grants.ts";

/**
 * Every permission there is, `noun:verb`. Routes declare one; credentials hold a subset.
 * `tenants:…` belong to the platform alone.
 */
export const SCOPES = [
  "tenants:provision",
  "tenants:read",
  "tenants:write",
  "tenants:erase",
  "tenant:read",
  "tenant:write",
  "tenant:export",
  "tenant:erase",
  "hostnames:read",
  "hostnames:write",
  "members:read",
  "members:write",
  "roles:read",
  "roles:write",
  "clients:read",
  "clients:write",
  "issuers:read",
  "issuers:write",
  "keys:read",
  "keys:write",
  "keys:verify",
  "secrets:read",
  "secrets:write",
  "audit:read",
  "projects:read",
  "projects:write",
  "agents:read",
  "agents:write",
  "agents:invoke",
  "deployments:read",
  "deployments:write",
  "invocations:read",
  "invocations:write",
  "sessions:read",
  "memories:read",
  "memories:write",
  "knowledge:read",
  "knowledge:write",
  "approvals:read",
  "approvals:decide",
  "schedules:read",
  "schedules:write",
  "providers:read",
  "providers:write",
  "usage:read",
  "limits:read",
  "limits:write",
  "budgets:read",
  "budgets:write",
  "stops:read",
  "stops:write",
  "external-agents:create",
  "external-agents:read",
  "external-agents:update",
  "external-agents:delete",
  "external-agents:invoke",
] as const;
export type Scope = (typeof SCOPES)[number];

/** What the first key of a tenant holds: everything inside the tenant. */
export const TENANT_SCOPES = SCOPES.filter((scope) => !scope.startsWith("tenants:"));

/** What the platform key holds. */
export const PLATFORM_SCOPES = SCOPES.filter((scope) => scope.startsWith("tenants:"));

/** Who did it and from where, as the audit names it. */
export type Actor = {
  readonly kind: Principal["kind"] | "system";
  /** As `Principal.id`; `system` for what the platform does by itself. */
  readonly id: string;
  /** The user whose personal key it is. */
  readonly ownerId?: string;
  /** Address of the client, when known. */
  readonly address: string | null;
  readonly requestId: string | null;
};

/** Claims of a person who is no user of the tenant's; what is not said is null. */
export type Person = {
  readonly email: string | null;
  readonly name: string | null;
  readonly sessionId: string | null;
};

/** Whoever a request acts as. `id` is what idempotency, sessions and audit are scoped to. */
export type Principal = {
  readonly kind: "key" | "user" | "app_client" | "platform";
  /** `key_…`, `usr_…`, `cli_…` or `platform`. */
  readonly id: string;
  /** The tenant the credential belongs to; must equal the host's (null only for the platform). */
  readonly tenantId: string | null;
  readonly scopes: readonly Scope[];
  /** Narrowing: absent means any. */
  readonly agentId?: string;
  readonly environment?: string;
  readonly projectId?: string;
  /**
   * Statements in effect (users, app clients); absent for a credential whose scopes say all. Then
   * `scopes` is what it could hold at all, and each resource is decided on (core/access/decide.ts).
   */
  readonly grants?: readonly Grant[];
  /** The user a personal key stands for: what it makes is the user's. */
  readonly ownerId?: string;
  /** The first key of a rotated key's line: sessions and invocations go on under its id. */
  readonly lineId?: string;
  /** What the route demanded and when, for its resource checks; set beside `grants` alone. */
  readonly asked?: { readonly scope: Scope; readonly atMs: number };
  /** What it may use up (API keys); absent for one without limits of its own. */
  readonly meter?: Meter;
  /** Epoch ms at which the credential ends by itself; absent when only revoking ends it. */
  readonly endsAtMs?: number;
  /** What an issuer outside says of its person; for showing, never for deciding. */
  readonly person?: Person;
  /** Hash of the console session it was presented through: signing out ends it. */
  readonly consoleSession?: string;
};

/** Whose is what the principal makes: its own, or the user's whose personal key it is. */
export function ownerOf({ id, ownerId }: Pick<Principal, "id" | "ownerId">): string {
  return ownerId ?? id;
}

/** Under which id the principal speaks with agents; a rotated key goes on as the first of its line. */
export function speakerId({ id, lineId }: Pick<Principal, "id" | "lineId">): string {
  return lineId ?? id;
}

/** Does the principal hold the scope? Narrowing is checked beside the resource. */
export function holds(principal: Principal, scope: Scope): boolean {
  return principal.scopes.includes(scope);
}

/**
 * Does the principal's narrowing leave room for this agent in this environment? Its statements are
 * weighed beside this (workers/edge/permits.ts).
 *
 * @param projectId  The agent's project; left out, a principal narrowed to a project covers nothing.
 */
export function covers(
  principal: Principal,
  agentId: string,
  environment?: string,
  projectId?: string,
): boolean {
  if (principal.agentId !== undefined && principal.agentId !== agentId) return false;
  if (principal.projectId !== undefined && principal.projectId !== projectId) return false;
  if (environment === undefined || principal.environment === undefined) return true;
  return principal.environment === environment;
}
