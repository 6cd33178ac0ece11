/**
 * May a principal do this to that, now? The one place where it is decided. Pure.
 *
 * C1  Nothing is allowed that no statement allows (default deny).
 * C2  One statement that denies outweighs all that allow, in whatever order they stand.
 * C3  What is not known never satisfies an allowing statement, and never excuses from a denying
 *     one. So what is allowed on few facts stays allowed when more become known, and a question
 *     that leaves facts out asks "whatever they are".
 * C4  A credential's own scopes and narrowing bound what statements allow.
 */
import { ownerOf, type Principal, type Scope } from "../principals/contract.ts";
import type { Grant } from "../principals/grants.ts";
import { type ConditionName, type Facts, together, type Verdict, weighed } from "./conditions.ts";
import { aboutAgents } from "./scopes.ts";

export type Question = {
  readonly principal: Principal;
  readonly scope: Scope;
  readonly resource: Facts;
  readonly arguments?: unknown;
  readonly nowMs?: number | undefined;
};

/**
 * `allowed`; or refused because a statement denies it, because the credential does not hold the
 * scope, because it is narrowed to something else, or because no statement allows it.
 */
export type Reason = "allowed" | "denied" | "scope" | "narrowed" | "nothing_allows";

export type Decision = {
  readonly allowed: boolean;
  readonly reason: Reason;
  /** The statement that decided; null when none did. */
  readonly by: Grant | null;
};

/** What came of one statement that speaks of the scope. */
export type Weighing = {
  readonly grant: Grant;
  readonly outcome: Verdict;
  /** Conditions that were not met, or not known. */
  readonly because: readonly ConditionName[];
};

export function decide(question: Question): Decision {
  const { principal, scope, resource } = question;
  const { grants } = principal;
  // A statement counts as its effect is safe: denying unless ruled out, allowing only when met (C3).
  const denying = grants?.find((grant) => counts(grant, "deny", question)); // C2
  if (denying !== undefined) return { allowed: false, reason: "denied", by: denying };
  if (!principal.scopes.includes(scope)) return refused("scope"); // C4
  if (narrowedOut(principal, scope, resource)) return refused("narrowed"); // C4
  if (grants === undefined) return { allowed: true, reason: "allowed", by: null };
  const allowing = grants.find((grant) => counts(grant, "allow", question));
  if (allowing === undefined) return refused("nothing_allows"); // C1
  return { allowed: true, reason: "allowed", by: allowing };
}

/** Each statement that speaks of the scope, with what came of it. */
export function weighings(question: Question): readonly Weighing[] {
  return (question.principal.grants ?? [])
    .filter(({ scopes }) => scopes.includes(question.scope))
    .map((grant) => weighingOf(grant, question));
}

/**
 * May the principal know that the thing is there? Whoever may do what is asked, or read the agent;
 * and, where reading is not denied, whoever could be allowed it at another hour or with other
 * arguments.
 */
export function mayKnow(question: Question): boolean {
  const { principal, scope, resource } = question;
  if (narrowedOut(principal, scope, resource)) return false;
  if (principal.grants === undefined) return true;
  if (decide(question).allowed) return true;
  const reading = decide({ ...question, scope: "agents:read" });
  if (reading.allowed || reading.reason === "denied") return reading.allowed;
  return principal.grants.some((grant) => {
    if (grant.effect !== "allow" || !grant.scopes.includes(scope)) return false;
    const { because } = weighingOf(atAnyHour(grant), question);
    return because.every((name) => name === "arguments");
  });
}

/** The statement without its hours; when it begins and ends stays. */
function atAnyHour(grant: Grant): Grant {
  if (grant.when?.time === undefined) return grant;
  const { not_before, not_after } = grant.when.time;
  return { ...grant, when: { ...grant.when, time: { not_before, not_after } } };
}

function counts(grant: Grant, effect: Grant["effect"], question: Question): boolean {
  if (grant.effect !== effect || !grant.scopes.includes(question.scope)) return false;
  if (grant.when === undefined) return true;
  const { outcome } = weighingOf(grant, question);
  return outcome === "met" || (effect === "deny" && outcome === "unknown");
}

function weighingOf(grant: Grant, question: Question): Weighing {
  const { principal, resource, nowMs } = question;
  const situation = {
    principalId: ownerOf(principal),
    resource,
    arguments: question.arguments,
    nowMs,
  };
  const each = weighed(grant.when ?? {}, situation);
  const because = each.flatMap(([name, verdict]) => (verdict === "met" ? [] : [name]));
  return { grant, outcome: together(each.map(([, verdict]) => verdict)), because };
}

function refused(reason: Reason): Decision {
  return { allowed: false, reason, by: null };
}

/**
 * Does the credential's narrowing leave the resource out? What is not an agent's is the whole
 * tenant's, and closed to it, but for the few scopes whose routes look at the narrowing themselves.
 */
export function narrowedOut(
  { agentId, environment, projectId }: Principal,
  scope: Scope,
  resource: Facts,
): boolean {
  if (agentId === undefined && environment === undefined && projectId === undefined) return false;
  if (!aboutAgents(scope)) return !OPEN_TO_NARROWED.has(scope);
  if (agentId !== undefined && agentId !== resource.agentId) return true;
  if (projectId !== undefined && projectId !== resource.projectId) return true;
  if (environment === undefined) return false;
  if (resource.environment !== undefined) return environment !== resource.environment;
  return resource.agentId === undefined; // an agent's own row is in no environment
}

const OPEN_TO_NARROWED: ReadonlySet<Scope> = new Set<Scope>([
  "keys:verify",
  "keys:write", // mints no more than itself
  "projects:read",
  "providers:read",
]);
