/** /v1/users/me — who the credential is and what it may do. What is a user's own: my-account.ts. */
import { z } from "zod";
import type { TenantScope } from "../../core/db/scope.ts";
import { isId } from "../../core/ids.ts";
import { type Person, type Principal, SCOPES } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import { type Tenant, TenantStatus } from "../../core/tenants/contract.ts";
import { Profile } from "../../core/users/contract.ts";
import { getProfile } from "../../core/users/store.ts";
import type { Arrival } from "../edge/arrival.ts";
import { principalOf } from "../edge/principal.ts";
import { answers, newRoutes, open } from "../edge/routes.ts";
import { etag } from "./parameters.ts";

export const Me = z.object({
  tenant: z.object({ id: z.string(), slug: z.string(), name: z.string(), status: TenantStatus }),
  principal: z.object({
    kind: z.enum(["key", "user", "app_client", "platform"]),
    id: z.string(),
    scopes: z.array(z.enum(SCOPES)),
    agent_id: z.string().nullable(),
    environment: z.string().nullable(),
    project_id: z.string().nullable(),
  }),
  /** What an issuer outside says of its person; null for every other principal. */
  person: z
    .object({
      email: z.string().nullable(),
      name: z.string().nullable(),
      session_id: z.string().nullable(),
    })
    .nullable(),
  /** The user itself; null for every other principal. */
  user: Profile.nullable(),
});
export type Me = z.infer<typeof Me>;

export const users = newRoutes().get(
  "/me",
  open("Who am I, with any credential"),
  answers(200, Me, "The principal and its tenant."),
  async (c) => {
    const me = await meOf(c, await demandPrincipal(c.get("arrival")));
    return c.json(me, 200, me.user === null ? {} : etag(me.user.revision));
  },
);

/** Whoever it is, whatever it may do. @throws Problem `unauthenticated` and those of `principalOf` */
export async function demandPrincipal(arrival: Arrival): Promise<Principal> {
  const principal = await principalOf(arrival);
  if (principal !== undefined) return principal;
  throw new Problem("unauthenticated", "present an API key or a token");
}

/** As much of a request's context as this needs. */
type Told = { get(key: "tenant"): Tenant; get(key: "scope"): TenantScope };

/** What a principal is told of itself. */
export async function meOf(c: Told, principal: Principal): Promise<Me> {
  const { id, slug, name, status } = c.get("tenant");
  const ours = principal.kind === "user" && isId("user", principal.id);
  return {
    tenant: { id, slug, name, status },
    principal: {
      kind: principal.kind,
      id: principal.id,
      scopes: [...principal.scopes],
      agent_id: principal.agentId ?? null,
      environment: principal.environment ?? null,
      project_id: principal.projectId ?? null,
    },
    person: principal.person === undefined ? null : onWire(principal.person),
    user: ours ? await getProfile(c.get("scope"), principal.id) : null,
  };
}

function onWire({ email, name, sessionId }: Person): NonNullable<Me["person"]> {
  return { email, name, session_id: sessionId };
}
