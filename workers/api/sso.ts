/**
 * /v1/sso — the tenant's connections to OpenID providers.
 *
 * Whoever chooses the provider can sign in as any member, so a change demands everything a tenant's
 * credential can hold.
 */
import { PageQuery } from "../../core/page.ts";
import { type Principal, TENANT_SCOPES } from "../../core/principals/contract.ts";
import { CreateSso, RegisteredSso, type SsoConnection, SsoPatch } from "../../core/sso/contract.ts";
import {
  createConnection,
  deleteConnection,
  getConnection,
  listConnections,
  patchConnection,
} from "../../core/sso/store.ts";
import { demandGivable } from "../../core/access/store-roles.ts";
import { redirectUri } from "../auth/sso.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { sealsAs } from "../edge/sealing.ts";
import { settledRules } from "./claim-rules.ts";
import { demandWholeTenant } from "./narrowing.ts";
import { demandReachable } from "./outside.ts";
import { AtRevision, ById, etag, pageSchema } from "./parameters.ts";

export const ssoConnections = newRoutes()
  .post(
    "/",
    may("issuers:write", "Set up single sign-on"),
    replays(),
    takes("json", CreateSso),
    answers(201, RegisteredSso, "The connection; register its `redirect_uri` at the provider."),
    async (c) => {
      const principal = c.get("principal");
      demandEverything(principal);
      const scope = c.get("scope");
      const wanted = c.req.valid("json");
      demandReachable(c.get("config"), "/issuer", wanted.issuer);
      const settled = await settledRules(scope, principal, wanted);
      const seal = sealsAs("sso", c.get("services"), scope, c.get("nowMs"));
      const made = await createConnection(scope, settled, seal, c.get("nowMs"));
      const location = `/v1/sso/${made.id}`;
      return c.json(registered(c.get("origin"), made), 201, { ...etag(made.revision), location });
    },
  )
  .get(
    "/",
    may("issuers:read", "List connections for single sign-on"),
    takes("query", PageQuery),
    answers(200, pageSchema(RegisteredSso), "Connections in the order they were made."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const page = await listConnections(c.get("scope"), c.req.valid("query"));
      return c.json({ ...page, data: page.data.map((it) => registered(c.get("origin"), it)) });
    },
  )
  .get(
    "/:id",
    may("issuers:read", "Get a connection for single sign-on"),
    takes("param", ById),
    answers(200, RegisteredSso, "The connection."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const found = await getConnection(c.get("scope"), c.req.valid("param").id);
      return c.json(registered(c.get("origin"), found), 200, etag(found.revision));
    },
  )
  .patch(
    "/:id",
    may("issuers:write", "Change single sign-on, or switch it off and on"),
    takes("param", ById),
    takes("header", AtRevision),
    takes("json", SsoPatch),
    answers(200, RegisteredSso, "The connection; the next sign-in is by what it says now."),
    async (c) => {
      const principal = c.get("principal");
      demandEverything(principal);
      const { id } = c.req.valid("param");
      const { "if-match": revision } = c.req.valid("header");
      const scope = c.get("scope");
      const settled = await settledRules(scope, principal, c.req.valid("json"));
      const seal = sealsAs("sso", c.get("services"), scope, c.get("nowMs"));
      const made = await patchConnection(scope, id, revision, settled, seal, c.get("nowMs"));
      return c.json(registered(c.get("origin"), made), 200, etag(made.revision));
    },
  )
  .delete(
    "/:id",
    may("issuers:write", "Remove a connection"),
    takes("param", ById),
    takes("header", AtRevision),
    answers(204, null, "It is gone; who came through it stays a member."),
    async (c) => {
      demandEverything(c.get("principal"));
      const { id } = c.req.valid("param");
      const { "if-match": revision } = c.req.valid("header");
      await deleteConnection(c.get("scope"), id, revision, c.get("nowMs"));
      return c.body(null, 204);
    },
  );

function demandEverything(principal: Principal): void {
  demandWholeTenant(principal);
  demandGivable(principal, [{ effect: "allow", scopes: TENANT_SCOPES }], "");
}

function registered(origin: string, connection: SsoConnection) {
  return { ...connection, redirect_uri: redirectUri(origin, connection.slug) };
}
