/** /v1/tenants on the platform host — provision tenants and look them up. */
import { PageQuery } from "../../core/page.ts";
import { ProvisionedTenant, ProvisionTenant, Tenant } from "../../core/tenants/contract.ts";
import { getTenant, listTenants, provisionTenant } from "../../core/tenants/store.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newPlatformRoutes, takes } from "../edge/routes.ts";
import { ById, pageSchema } from "./parameters.ts";

export const tenants = newPlatformRoutes()
  .post(
    "/",
    may("tenants:provision", "Provision a tenant"),
    replays(),
    takes("json", ProvisionTenant),
    answers(201, ProvisionedTenant, "The tenant, its first administrator and its first key."),
    async (c) => {
      const made = await provisionTenant(c.get("platform"), c.req.valid("json"), c.get("nowMs"));
      return c.json(made, 201, { location: `/v1/tenants/${made.tenant.id}` });
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
    async (c) => c.json(await getTenant(c.get("platform"), c.req.valid("param").id)),
  );
