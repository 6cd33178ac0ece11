/** /v1/clients — machines that get tokens for a secret. A client never may more than who made it. */
import type { Context } from "hono";
import { demandGivable } from "../../core/access/store-roles.ts";
import { accessOf } from "../edge/access.ts";
import { clientAccess } from "../../core/clients/access.ts";
import {
  Client,
  ClientPatch,
  ClientSecret,
  ClientSecrets,
  CreateClient,
  IssuedClient,
  IssuedClientSecret,
  RotateClient,
} from "../../core/clients/contract.ts";
import {
  createClient,
  deleteClient,
  getClient,
  listClients,
  patchClient,
} from "../../core/clients/store.ts";
import {
  addSecret,
  listSecrets,
  revokeSecret,
  rotateSecret,
} from "../../core/clients/store-secrets.ts";
import { PageQuery } from "../../core/page.ts";
import type { Scope } from "../../core/principals/contract.ts";
import type { AppEnv, WithPrincipal } from "../edge/context.ts";
import { replays } from "../edge/idempotency.ts";
import { forgetClient } from "../edge/principal-client.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { demandWholeTenant } from "./narrowing.ts";
import { AtRevision, ById, Id, etag, pageSchema } from "./parameters.ts";

const BySecret = ById.extend({ secret: Id });

export const clients = newRoutes()
  .post(
    "/",
    may("clients:write", "Create an app client"),
    replays(),
    takes("json", CreateClient),
    answers(201, IssuedClient, "The client and its first secret, which is shown this once."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const wanted = c.req.valid("json");
      demandGivable(c.get("principal"), allowing(wanted.scopes), "/scopes");
      const client = await createClient(c.get("scope"), wanted, c.get("nowMs"));
      const location = `/v1/clients/${client.id}`;
      return c.json(client, 201, { ...etag(client.revision), location });
    },
  )
  .get(
    "/",
    may("clients:read", "List app clients"),
    takes("query", PageQuery),
    answers(200, pageSchema(Client), "Clients in the order they were made."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      return c.json(await listClients(c.get("scope"), c.req.valid("query")));
    },
  )
  .get(
    "/:id",
    may("clients:read", "Get an app client"),
    takes("param", ById),
    answers(200, Client, "The client."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const client = await getClient(c.get("scope"), c.req.valid("param").id);
      return c.json(client, 200, etag(client.revision));
    },
  )
  .patch(
    "/:id",
    may("clients:write", "Change an app client, or switch it off and on"),
    takes("param", ById),
    takes("header", AtRevision),
    takes("json", ClientPatch),
    answers(200, Client, "The client; its tokens follow within the cache time."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { id } = c.req.valid("param");
      const { "if-match": revision } = c.req.valid("header");
      const patch = c.req.valid("json");
      if (!endsOrNames(patch)) await demandClient(c, id);
      demandGivable(c.get("principal"), allowing(patch.scopes ?? []), "/scopes");
      const client = await patchClient(c.get("scope"), id, revision, patch, c.get("nowMs"));
      forgetClient(c.get("services"), c.get("scope").tenantId, id);
      return c.json(client, 200, etag(client.revision));
    },
  )
  .delete(
    "/:id",
    may("clients:write", "Delete an app client"),
    takes("param", ById),
    takes("header", AtRevision),
    answers(204, null, "It is gone with its secrets; its tokens end within the cache time."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { "if-match": revision } = c.req.valid("header");
      await demandClient(c, id);
      await deleteClient(c.get("scope"), id, revision, c.get("nowMs"));
      forgetClient(c.get("services"), c.get("scope").tenantId, id);
      return c.body(null, 204);
    },
  )
  .get(
    "/:id/secrets",
    may("clients:read", "List a client's secrets"),
    takes("param", ById),
    answers(200, ClientSecrets, "The newest first, at most a hundred; none of them in clear."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { id } = c.req.valid("param");
      return c.json(await listSecrets(c.get("scope"), id, c.get("nowMs")));
    },
  )
  .post(
    "/:id/secrets",
    may("clients:write", "Add a second secret"),
    replays(),
    takes("param", ById),
    answers(201, IssuedClientSecret, "The secret, shown this once. At most two work at a time."),
    async (c) => {
      const { id } = c.req.valid("param");
      await demandClient(c, id);
      return c.json(await addSecret(c.get("scope"), id, c.get("nowMs")), 201);
    },
  )
  .post(
    "/:id/secrets/:secret/revoke",
    may("clients:write", "Revoke a secret"),
    replays(),
    takes("param", BySecret),
    answers(200, ClientSecret, "The secret; it gets no token any more."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { id, secret } = c.req.valid("param");
      return c.json(await revokeSecret(c.get("scope"), id, secret, c.get("nowMs")));
    },
  )
  .post(
    "/:id/rotate",
    may("clients:write", "Replace a client's secret"),
    replays(),
    takes("param", ById),
    takes("json", RotateClient, { optional: true }),
    answers(
      201,
      IssuedClientSecret,
      "The new secret, shown this once; those there are have their grace.",
    ),
    async (c) => {
      const { id } = c.req.valid("param");
      await demandClient(c, id);
      const graceMs = c.req.valid("json").grace_seconds * 1000;
      return c.json(await rotateSecret(c.get("scope"), id, graceMs, c.get("nowMs")), 201);
    },
  );

/**
 * Whoever holds a new secret is the client: only who may all that it may gets one. Nor is a client
 * ended for good by who could not make it anew; switching it off, and revoking a secret that
 * leaked, is for everybody who may change clients.
 *
 * @throws Problem `not_found` | `forbidden`
 */
async function demandClient(c: Context<AppEnv & WithPrincipal>, id: string): Promise<void> {
  const principal = c.get("principal");
  demandWholeTenant(principal);
  const { scopes } = await getClient(c.get("scope"), id);
  const arrival = c.get("arrival");
  const assigned = arrival.at === "tenant" ? await accessOf(arrival, "app_client", id) : undefined;
  const { grants } = clientAccess(scopes, assigned);
  demandGivable(principal, grants.length === 0 ? allowing(scopes) : grants, "/id");
}

/** Another name and switching off are anybody's who may change clients: like a key's. */
function endsOrNames({ enabled, scopes, token_lifetime_seconds: lifetime }: ClientPatch): boolean {
  return enabled !== true && scopes === undefined && lifetime === undefined;
}

function allowing(scopes: readonly Scope[]) {
  return [{ effect: "allow" as const, scopes }];
}
