/** /v1/access/explain — may I, or may they, and why. */
import type { Facts } from "../../core/access/conditions.ts";
import {
  type ExplainQuery,
  ExplainQuery as Query,
  Explanation,
} from "../../core/access/contract.ts";
import { mayKnow } from "../../core/access/decide.ts";
import { explained } from "../../core/access/explain.ts";
import { aboutAgents } from "../../core/access/scopes.ts";
import { getAgent } from "../../core/agents/store.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import { ownerOf, type Principal, type Scope } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import { findProjectId } from "../../core/projects/store.ts";
import type { Arrival } from "../edge/arrival.ts";
import { asking, missing } from "../edge/permits.ts";
import { principalById } from "../edge/principal-by-id.ts";
import { answers, newRoutes, open, takes } from "../edge/routes.ts";
import { placeOf } from "./narrowing.ts";
import { demandPrincipal } from "./users.ts";

export const access = newRoutes().get(
  "/explain",
  open("Explain a decision: one's own with any credential, another's with roles:read"),
  takes("query", Query),
  answers(200, Explanation, "The decision, the statement that decided, and all that were weighed."),
  async (c) => {
    const query = c.req.valid("query");
    const me = await demandPrincipal(c.get("arrival"));
    const principal = await meant(c.get("arrival"), me, query.principal);
    const nowMs = query.at === undefined ? c.get("nowMs") : Date.parse(query.at);
    const asker = { me, nowMs: c.get("nowMs") };
    const resource = await factsAsked(c.get("scope"), { asker, principal, query });
    const { scope, arguments: body } = query;
    return c.json(explained({ principal, scope, resource, arguments: body, nowMs }));
  },
);

/** @throws Problem `forbidden` | `not_found` */
async function meant(arrival: Arrival, me: Principal, id: string | undefined): Promise<Principal> {
  if (id === undefined || id === me.id) return me;
  const asked = asking(me, "roles:read", arrival.nowMs);
  if (asked instanceof Problem) throw asked;
  const found = arrival.at === "tenant" ? await principalById(arrival, id) : undefined;
  if (found === undefined) throw missing("principal");
  return found;
}

type Asked = {
  readonly asker: { readonly me: Principal; readonly nowMs: number };
  readonly principal: Principal;
  readonly query: ExplainQuery;
};

/**
 * What is known of the resource: all of an agent that is named and the asker may know of, or what
 * the query says of one that is not there yet.
 *
 * @throws Problem `not_found` | `invalid`
 */
async function factsAsked(scope: TenantScope, { asker, principal, query }: Asked): Promise<Facts> {
  const { tenantId } = scope;
  const { agent, environment, project, owner, tags } = query;
  if (!aboutAgents(query.scope)) {
    const named = [agent, environment, project, owner, tags].some((it) => it !== undefined);
    if (named) throw notOfAgents(query.scope);
    return { tenantId };
  }
  if (agent !== undefined) {
    const facts = { ...placeOf(await getAgent(scope, agent)), environment, tenantId };
    const nowMs = asker.nowMs;
    const known = mayKnow({ principal: asker.me, scope: query.scope, resource: facts, nowMs });
    if (!known) throw missing("agent");
    return facts;
  }
  const projectId = project === undefined ? undefined : await findProjectId(scope, project);
  const ownerId = owner === "self" ? ownerOf(principal) : owner;
  return { tenantId, projectId, environment, tags, ownerId };
}

function notOfAgents(scope: Scope): Problem {
  return new Problem("invalid", "the request does not fit its schema", {
    errors: [{ pointer: "scope", detail: `${scope} is of the whole tenant, not of agents` }],
  });
}
