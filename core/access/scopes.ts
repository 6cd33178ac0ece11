import { type Scope, SCOPES, TENANT_SCOPES } from "../principals/contract.ts";

/** S2's names of what may be done to external agents, as some clients still write them. */
const EXTERNAL_AGENT = /^(create|read|update|delete|invoke):external_agent$/;

/**
 * A statement's scope in its canonical form: a scope of a tenant, `noun:*`, or `*`.
 *
 * @returns  undefined for what names none. `tenants:…` are the platform's and in nobody's statement.
 */
export function canonicalScope(text: string): string | undefined {
  const verb = EXTERNAL_AGENT.exec(text)?.[1];
  const name = verb === undefined ? text : `external-agents:${verb}`;
  return scopesOf(name).length > 0 ? name : undefined;
}

/** The scopes that a canonical form stands for. */
export function scopesOf(pattern: string): readonly Scope[] {
  if (pattern === "*") return TENANT_SCOPES;
  if (!pattern.endsWith(":*")) return TENANT_SCOPES.filter((scope) => scope === pattern);
  const noun = pattern.slice(0, -1);
  return TENANT_SCOPES.filter((scope) => scope.startsWith(noun));
}

/** Does the scope act on something of an agent's, so that its route decides on that agent's facts? */
export function aboutAgents(scope: Scope): boolean {
  return ABOUT_AGENTS.has(scope);
}

const ABOUT_AGENTS: ReadonlySet<Scope> = new Set(
  SCOPES.filter((scope) =>
    /^(?:agents|deployments|invocations|sessions|memories|knowledge|approvals|schedules|usage|external-agents):/.test(
      scope,
    ),
  ),
);
