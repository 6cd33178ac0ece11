/** /v1/tenant — what a tenant is, may, uses, and decides about itself. */
import { z } from "zod";
import { BUILT_IN_ROLES } from "../../core/access/contract.ts";
import { ContentPatch, ContentPolicy, SEALED_FOR } from "../../core/content/contract.ts";
import { getContentPolicy, patchContentPolicy } from "../../core/content/store.ts";
import { Problem } from "../../core/problem.ts";
import { Flags, OwnTenantPatch, Tenant } from "../../core/tenants/contract.ts";
import { getOwnTenant, patchOwnTenant } from "../../core/tenants/store.ts";
import { TenantQuotas } from "../../core/tiers/contract.ts";
import { tenantQuotas } from "../../core/tiers/store.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { sealsAs } from "../edge/sealing.ts";
import { forgetTenant } from "../edge/tenant.ts";
import { demandWholeTenant } from "./narrowing.ts";
import { AtRevision, etag } from "./parameters.ts";

/** Body of `GET /v1/tenant/flags`. */
const TenantFlags = z.object({ flags: Flags });

export const tenant = newRoutes()
  .get(
    "/",
    may("tenant:read", "The tenant itself"),
    answers(200, Tenant, "The tenant; also while it is suspended."),
    async (c) => {
      const found = await getOwnTenant(c.get("scope"));
      return c.json(found, 200, etag(found.revision));
    },
  )
  .patch(
    "/",
    may("tenant:write", "Change the tenant's name, who may register and as what"),
    takes("header", AtRevision),
    takes("json", OwnTenantPatch),
    answers(200, Tenant, "The tenant as changed."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const patch = c.req.valid("json");
      demandAllowed(c.get("tenant"), patch);
      const { "if-match": revision } = c.req.valid("header");
      const changed = await patchOwnTenant(c.get("scope"), revision, patch, c.get("nowMs"));
      forgetTenant(c.get("services"), changed);
      return c.json(changed, 200, etag(changed.revision));
    },
  )
  .get(
    "/content",
    may("tenant:read", "How long content is kept, and whether it is sealed"),
    answers(200, ContentPolicy, "What holds, said or not; null is for ever."),
    async (c) => {
      const found = await getContentPolicy(c.get("scope"));
      return c.json(found, 200, etag(found.revision));
    },
  )
  .patch(
    "/content",
    may("tenant:write", "Change how long content is kept, and whether it is sealed"),
    takes("header", AtRevision),
    takes("json", ContentPatch),
    answers(200, ContentPolicy, "What holds; agents follow at their next request, idle ones soon."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { "if-match": revision } = c.req.valid("header");
      const [scope, nowMs] = [c.get("scope"), c.get("nowMs")];
      const seal = sealsAs(SEALED_FOR.kind, c.get("services"), scope, nowMs);
      const patch = c.req.valid("json");
      const changed = await patchContentPolicy(scope, revision, patch, seal, nowMs);
      return c.json(changed, 200, etag(changed.revision));
    },
  )
  .get(
    "/flags",
    may("tenant:read", "What the platform has switched for the tenant"),
    answers(200, TenantFlags, "Every flag there is, as it is for this tenant."),
    async (c) => c.json({ flags: (await getOwnTenant(c.get("scope"))).flags }),
  )
  .get(
    "/quotas",
    may("tenant:read", "What the tenant uses of what its tier allows"),
    answers(200, TenantQuotas, "One line for each noun that tiers bound."),
    async (c) => c.json(await tenantQuotas(c.get("scope"))),
  );

/** @throws Problem `forbidden` for what a flag forbids | `invalid` for a role nobody may register as */
function demandAllowed({ flags }: Tenant, patch: OwnTenantPatch): void {
  if (patch.registration === "open" && !flags.self_registration) {
    throw new Problem("forbidden", "the platform has switched self_registration off");
  }
  const { default_role: role } = patch;
  if (role === undefined || REGISTRABLE.has(role)) return;
  throw new Problem("invalid", "the body does not fit its schema", {
    errors: [{ pointer: "/default_role", detail: `one of ${[...REGISTRABLE].join(", ")}` }],
  });
}

/** Nobody becomes an administrator by registering. */
const REGISTRABLE: ReadonlySet<string> = new Set(BUILT_IN_ROLES.filter((role) => role !== "admin"));
