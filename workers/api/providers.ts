/** /v1/providers — the tenant's own access to vendors of models. A key goes in and never out. */
import { CreateProvider, Provider, ProviderPatch } from "../../core/providers/contract.ts";
import {
  createProvider,
  deleteProvider,
  getProvider,
  listProviders,
  patchProvider,
} from "../../core/providers/store.ts";
import { PageQuery } from "../../core/page.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { forgetLiveAgentsOf } from "../serve/live-agents.ts";
import { demandWholeTenant } from "./narrowing.ts";
import { AtRevision, ById, etag, pageSchema } from "./parameters.ts";
import { demandReachable, providerSealer } from "./outside.ts";

export const providers = newRoutes()
  .post(
    "/",
    may("providers:write", "Create a provider"),
    replays(),
    takes("json", CreateProvider),
    answers(201, Provider, "The provider; its key is sealed and never shown."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const wanted = c.req.valid("json");
      demandReachable(c.get("config"), "/base_url", wanted.base_url);
      const scope = c.get("scope");
      const seal = providerSealer(c.get("services"), scope, c.get("nowMs"));
      const provider = await createProvider(scope, wanted, seal, c.get("nowMs"));
      forgetLiveAgentsOf(c.get("services"), scope.tenantId);
      const location = `/v1/providers/${provider.id}`;
      return c.json(provider, 201, { ...etag(provider.revision), location });
    },
  )
  .get(
    "/",
    may("providers:read", "List providers"),
    takes("query", PageQuery),
    answers(200, pageSchema(Provider), "Providers in the order they were made."),
    async (c) => c.json(await listProviders(c.get("scope"), c.req.valid("query"))),
  )
  .get(
    "/:id",
    may("providers:read", "Get a provider"),
    takes("param", ById),
    answers(200, Provider, "The provider."),
    async (c) => {
      const provider = await getProvider(c.get("scope"), c.req.valid("param").id);
      return c.json(provider, 200, etag(provider.revision));
    },
  )
  .patch(
    "/:id",
    may("providers:write", "Change a provider's address or key"),
    takes("param", ById),
    takes("header", AtRevision),
    takes("json", ProviderPatch),
    answers(200, Provider, "The provider; live agents use it from their next run on."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { id } = c.req.valid("param");
      const { "if-match": revision } = c.req.valid("header");
      const patch = c.req.valid("json");
      demandReachable(c.get("config"), "/base_url", patch.base_url);
      const scope = c.get("scope");
      const seal = providerSealer(c.get("services"), scope, c.get("nowMs"));
      const provider = await patchProvider(scope, id, revision, patch, seal, c.get("nowMs"));
      forgetLiveAgentsOf(c.get("services"), scope.tenantId);
      return c.json(provider, 200, etag(provider.revision));
    },
  )
  .delete(
    "/:id",
    may("providers:write", "Delete a provider"),
    takes("param", ById),
    takes("header", AtRevision),
    answers(204, null, "It is gone, and so is its key."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { id } = c.req.valid("param");
      const { "if-match": revision } = c.req.valid("header");
      const scope = c.get("scope");
      await deleteProvider(scope, id, revision, c.get("nowMs"));
      forgetLiveAgentsOf(c.get("services"), scope.tenantId);
      return c.body(null, 204);
    },
  );
