import { rfc3339 } from "../clock.ts";
import type { Grant } from "../principals/grants.ts";
import type { Explanation } from "./contract.ts";
import { decide, type Question, weighings } from "./decide.ts";

/** The decision on a question, and what led to it, in the words of the wire. Pure. */
export function explained(question: Question & { readonly nowMs: number }): Explanation {
  const { principal, scope, resource, nowMs } = question;
  const { allowed, reason, by } = decide(question);
  const { projectId, environment, agentId, tags, ownerId } = resource;
  return {
    principal: { kind: principal.kind, id: principal.id },
    scope,
    resource: {
      tenant_id: resource.tenantId ?? "",
      ...(projectId === undefined ? {} : { project_id: projectId }),
      ...(environment === undefined ? {} : { environment }),
      ...(agentId === undefined ? {} : { agent_id: agentId }),
      ...(tags === undefined ? {} : { tags: [...tags] }),
      ...(ownerId === undefined ? {} : { owner_id: ownerId }),
    },
    at: rfc3339(nowMs),
    allowed,
    reason,
    by: by && standing(by),
    statements: weighings(question).map(({ grant, outcome, because }) =>
      Object.assign(standing(grant), { outcome, because: [...because] }),
    ),
  };
}

function standing({ effect, role, statement, assignment, when }: Grant) {
  return { effect, role, statement, assignment_id: assignment, when: when ? { ...when } : null };
}
