/**
 * Who may do what to which resource, at the edge. Deciding itself is core/access/decide.ts.
 *
 * W1  A scope that is not about agents is decided at once, on the tenant alone: its routes need no
 *     check of their own.
 * W2  A scope that is about agents passes `may` when the principal could hold it at all; its routes
 *     decide on the agent's facts, here.
 * W3  What the principal may not know of is answered as missing; what it may know of is refused.
 */
import type { AgentFacts } from "../../core/agents/contract.ts";
import { decide, mayKnow, narrowedOut, type Question } from "../../core/access/decide.ts";
import { aboutAgents } from "../../core/access/scopes.ts";
import { covers, holds, type Principal, type Scope } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";

/** An agent, in an environment or in none, as decisions see it. */
export type Place = Omit<AgentFacts, "tags" | "ownerId"> &
  Partial<AgentFacts> & { readonly agentId: string; readonly environment?: string | undefined };

/** The principal, now known to ask for `scope`; or the refusal, `forbidden`. */
export function asking(principal: Principal, scope: Scope, nowMs: number): Principal | Problem {
  if (!holds(principal, scope)) return forbidden(scope);
  if (principal.grants === undefined) {
    const closed = !aboutAgents(scope) && narrowedOut(principal, scope, {});
    return closed ? notWhole() : principal;
  }
  const resource = { tenantId: principal.tenantId ?? undefined };
  if (!aboutAgents(scope) && !decide({ principal, scope, resource, nowMs }).allowed) {
    return forbidden(scope); // W1
  }
  return { ...principal, asked: { scope, atMs: nowMs } }; // W2
}

/**
 * May the principal do what its route demands to this agent? Two comparisons for a plain key.
 *
 * @param body  What is asked of the agent, where that is known.
 */
export function permits(principal: Principal, place: Place, body?: unknown): boolean {
  if (principal.grants === undefined) {
    return covers(principal, place.agentId, place.environment, place.projectId);
  }
  const question = questionOf(principal, place, body);
  return question !== undefined && decide(question).allowed;
}

/** May the principal make an agent that would be this? */
export function permitsNew(principal: Principal, facts: AgentFacts): boolean {
  const { agentId, environment, projectId, grants, asked, tenantId } = principal;
  if (agentId !== undefined || environment !== undefined) return false;
  if (projectId !== undefined && projectId !== facts.projectId) return false;
  if (grants === undefined) return true;
  if (asked === undefined) return false;
  const resource = { ...facts, tenantId: tenantId ?? undefined };
  return decide({ principal, scope: asked.scope, resource, nowMs: asked.atMs }).allowed;
}

/** The refusal that `permits` calls for: as missing, unless the principal may know of it (W3). */
export function refusalOf(principal: Principal, place: Place, noun: string): Problem {
  const question = questionOf(principal, place);
  if (question === undefined || principal.grants === undefined) return missing(noun);
  return mayKnow(question) ? forbidden(question.scope) : missing(noun);
}

/** Is what the principal may do all it holds, whatever agent it is done to? */
export function wholeTenant(principal: Principal): boolean {
  const { agentId, environment, projectId, tenantId, asked, grants } = principal;
  if (agentId !== undefined || environment !== undefined || projectId !== undefined) return false;
  if (grants === undefined) return true;
  if (asked === undefined) return false;
  const resource = { tenantId: tenantId ?? undefined };
  return decide({ principal, scope: asked.scope, resource, nowMs: asked.atMs }).allowed;
}

/** The one answer for what is not there and for what the caller may not know of. */
export function missing(noun: string): Problem {
  return new Problem("not_found", `no such ${noun}`);
}

/** Could the principal's statements or narrowing tell one agent from another? */
export function looksAtAgents({ grants, projectId }: Principal): boolean {
  return grants !== undefined || projectId !== undefined;
}

export function notWhole(): Problem {
  return new Problem("forbidden", "the credential is narrowed to a part of the tenant");
}

/** Undefined where no scope was demanded: then there is nothing to allow. */
function questionOf(principal: Principal, place: Place, body?: unknown): Question | undefined {
  const { asked, tenantId } = principal;
  if (asked === undefined) return undefined;
  const resource = { ...place, tenantId: tenantId ?? undefined };
  return { principal, scope: asked.scope, resource, arguments: body, nowMs: asked.atMs };
}

function forbidden(scope: Scope): Problem {
  return new Problem("forbidden", `the scope ${scope} is needed`);
}
