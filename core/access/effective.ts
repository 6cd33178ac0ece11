/** From roles and the places they are held at to the statements in effect. Pure. */
import { rfc3339 } from "../clock.ts";
import { type Scope, TENANT_SCOPES } from "../principals/contract.ts";
import type { Conditions, Grant, TimeWindow } from "../principals/grants.ts";
import type { Access, Statement } from "./contract.ts";
import { scopesOf } from "./scopes.ts";

/** A role as somebody holds it. */
export type Held = {
  readonly role: string;
  readonly statements: readonly Statement[];
  /** Null for the role of a membership. */
  readonly assignment: string | null;
  readonly projectId?: string | null;
  readonly environment?: string | null;
  readonly agentId?: string | null;
  readonly expiresAtMs?: number | null;
};

/** What a principal's roles come to. */
export function accessFrom(held: readonly Held[]): Access {
  const grants = held.flatMap(grantsOf);
  const has = (effect: Grant["effect"], scope: Scope, always: boolean) =>
    grants.some(
      (grant) =>
        grant.effect === effect &&
        grant.scopes.includes(scope) &&
        (!always || grant.when === undefined),
    );
  const scopes = TENANT_SCOPES.filter(
    (scope) => has("allow", scope, false) && !has("deny", scope, true),
  );
  return { scopes, grants };
}

/** A role's statements with the narrowing and the end of the assignment as further conditions. */
export function grantsOf(held: Held): readonly Grant[] {
  const { role, assignment, environment = null } = held;
  return held.statements.flatMap((statement, index) => {
    const scopes = [...new Set(statement.scopes.flatMap(scopesOf))];
    const of = { effect: statement.effect, role, statement: index, assignment };
    // An agent is in no environment: whoever holds one environment still reads the agents in it.
    const free = environment === null ? [] : scopes.filter((scope) => FREE.has(scope));
    const bound = scopes.filter((scope) => !free.includes(scope));
    return [
      ...withWhen({ ...of, scopes: bound }, narrowed(statement.when, held)),
      ...withWhen(
        { ...of, scopes: free },
        narrowed(statement.when, { ...held, environment: null }),
      ),
    ];
  });
}

const FREE: ReadonlySet<Scope> = new Set(["agents:read"]);

function withWhen(grant: Omit<Grant, "when">, when: Conditions | undefined): readonly Grant[] {
  if (grant.scopes.length === 0) return [];
  return [when === undefined ? grant : { ...grant, when }];
}

/** Both: the statement's own conditions, and where and until when its role is held. */
function narrowed(when: Conditions | undefined, held: Held): Conditions | undefined {
  const { projectId, environment, agentId, expiresAtMs } = held;
  const all = {
    ...when,
    ...bothOf("projects", when?.projects, projectId),
    ...bothOf("environments", when?.environments, environment),
    ...bothOf("agents", when?.agents, agentId),
    ...ending(when?.time, expiresAtMs),
  };
  return Object.keys(all).length === 0 ? undefined : all;
}

/** An empty list is a condition that nothing meets. */
function bothOf(
  name: "projects" | "environments" | "agents",
  listed: readonly string[] | undefined,
  only: string | null | undefined,
): Conditions {
  if (only === null || only === undefined) return {};
  return { [name]: listed === undefined || listed.includes(only) ? [only] : [] };
}

function ending(time: TimeWindow | undefined, expiresAtMs: number | null | undefined): Conditions {
  if (expiresAtMs === null || expiresAtMs === undefined) return {};
  const own = time?.not_after === undefined ? expiresAtMs : Date.parse(time.not_after);
  return { time: { ...time, not_after: rfc3339(Math.min(own, expiresAtMs)) } };
}
