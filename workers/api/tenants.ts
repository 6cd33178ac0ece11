/** /v1/tenants on the platform host — provision tenants, look them up, change, suspend, reactivate. */
import type { Context } from "hono";
import { actingAs, type TenantScope, tenantScope } from "../../core/db/scope.ts";
import { isId } from "../../core/ids.ts";
import { PageQuery } from "../../core/page.ts";
import { Problem } from "../../core/problem.ts";
import {
  ProvisionedTenant,
  ProvisionTenant,
  SuspendTenant,
  Tenant,
  TenantPatch,
} from "../../core/tenants/contract.ts";
import {
  getTenant,
  listTenants,
  patchTenant,
  provisionTenant,
  reactivateTenant,
  suspendTenant,
} from "../../core/tenants/store.ts";
import { actorOf } from "../edge/actor.ts";
import type { PlatformEnv, WithPrincipal } from "../edge/context.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newPlatformRoutes, takes } from "../edge/routes.ts";
import { forgetTenant } from "../edge/tenant.ts";
import { sendOwedMail } from "../jobs/mail.ts";
import { AtRevision, ById, etag, pageSchema } from "./parameters.ts";

export const tenants = newPlatformRoutes()
  .post(
    "/",
    may("tenants:provision", "Provision a tenant"),
    replays(),
    takes("json", ProvisionTenant),
    answers(201, ProvisionedTenant, "The tenant, its first administrator and its first key."),
    async (c) => {
      const by = actorOf(c.get("principal"), c.get("arrival"));
      const wanted = c.req.valid("json");
      const provisioned = await provisionTenant(c.get("platform"), wanted, c.get("nowMs"), by);
      const { mailId, ...made } = provisioned;
      const { keep, services } = c.get("arrival");
      keep(sendOwedMail(services, mailId));
      const location = `/v1/tenants/${made.tenant.id}`;
      return c.json(made, 201, { ...etag(made.tenant.revision), location });
    },
  )
  .get(
    "/",
    may("tenants:read", "List tenants"),
    takes("query", PageQuery),
    answers(200, pageSchema(Tenant), "Tenants, oldest first."),
    async (c) => c.json(await listTenants(c.get("platform"), c.req.valid("query"))),
  )
  .get(
    "/:id",
    may("tenants:read", "Get a tenant"),
    takes("param", ById),
    answers(200, Tenant, "The tenant."),
    async (c) => changed(c, await getTenant(c.get("platform"), c.req.valid("param").id)),
  )
  .patch(
    "/:id",
    may("tenants:write", "Change a tenant's name, tier or flags"),
    takes("param", ById),
    takes("header", AtRevision),
    takes("json", TenantPatch),
    answers(200, Tenant, "The tenant as changed."),
    async (c) => {
      const scope = scopeOf(c, c.req.valid("param").id);
      const { "if-match": revision } = c.req.valid("header");
      return changed(c, await patchTenant(scope, revision, c.req.valid("json"), c.get("nowMs")));
    },
  )
  .post(
    "/:id/suspend",
    may("tenants:write", "Suspend a tenant"),
    replays(),
    takes("param", ById),
    takes("json", SuspendTenant, { optional: true }),
    answers(200, Tenant, "The tenant; it starts nothing more until it is reactivated."),
    async (c) => {
      const scope = scopeOf(c, c.req.valid("param").id);
      const { reason } = c.req.valid("json");
      return changed(c, await suspendTenant(scope, reason, c.get("nowMs")));
    },
  )
  .post(
    "/:id/reactivate",
    may("tenants:write", "Reactivate a suspended tenant"),
    replays(),
    takes("param", ById),
    answers(200, Tenant, "The tenant; everything is as it was."),
    async (c) => {
      const scope = scopeOf(c, c.req.valid("param").id);
      return changed(c, await reactivateTenant(scope, c.get("nowMs")));
    },
  );

type PlatformContext = Context<PlatformEnv & WithPrincipal>;

/** A tenant's rows on behalf of the platform. @throws Problem `not_found` for no tenant's id */
function scopeOf(c: PlatformContext, id: string): TenantScope {
  if (!isId("tenant", id)) throw new Problem("not_found", "no such tenant");
  const by = actorOf(c.get("principal"), c.get("arrival"));
  return actingAs(tenantScope(c.get("platform"), id), by);
}

/** The tenant, which this isolate looks up anew from now on. */
function changed(c: PlatformContext, tenant: Tenant): Response {
  forgetTenant(c.get("services"), tenant);
  return c.json(tenant, 200, etag(tenant.revision));
}
