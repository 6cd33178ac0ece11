/** /v1/users/me — who the credential is and what it may do. */
import { z } from "zod";
import { type Principal, SCOPES } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import type { Tenant } from "../../core/tenants/contract.ts";
import type { Arrival } from "../edge/arrival.ts";
import { principalOf } from "../edge/principal.ts";
import { answers, newRoutes, open } from "../edge/routes.ts";

export const Me = z.object({
  tenant: z.object({ id: z.string(), slug: z.string(), name: z.string() }),
  principal: z.object({
    kind: z.enum(["key", "user", "app_client", "platform"]),
    id: z.string(),
    scopes: z.array(z.enum(SCOPES)),
    agent_id: z.string().nullable(),
    environment: z.string().nullable(),
  }),
});
export type Me = z.infer<typeof Me>;

export const users = newRoutes().get(
  "/me",
  open("Who am I, with any credential"),
  answers(200, Me, "The principal and its tenant."),
  async (c) => c.json(me(c.get("tenant"), await demandPrincipal(c.get("arrival")))),
);

/** Whoever it is, whatever it may do. @throws Problem `unauthenticated` and those of `principalOf` */
export async function demandPrincipal(arrival: Arrival): Promise<Principal> {
  const principal = await principalOf(arrival);
  if (principal !== undefined) return principal;
  throw new Problem("unauthenticated", "present an API key or a token");
}

export function me({ id, slug, name }: Tenant, principal: Principal): Me {
  return {
    tenant: { id, slug, name },
    principal: {
      kind: principal.kind,
      id: principal.id,
      scopes: [...principal.scopes],
      agent_id: principal.agentId ?? null,
      environment: principal.environment ?? null,
    },
  };
}
