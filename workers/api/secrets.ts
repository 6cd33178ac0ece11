/** /v1/secrets — named values that tools and providers are called with. They go in and never out. */
import { DataKey } from "../../core/data-keys/contract.ts";
import { dataKeysOf } from "../../core/data-keys/store.ts";
import { listDataKeys } from "../../core/data-keys/store-rotate.ts";
import { Problem } from "../../core/problem.ts";
import { PageQuery } from "../../core/page.ts";
import {
  CreateSecret,
  RotateSecret,
  Secret,
  SecretPatch,
  SecretVersion,
  VerifiedSecret,
  VerifySecret,
} from "../../core/secrets/contract.ts";
import {
  createSecret,
  deleteSecret,
  getSecret,
  listSecrets,
  patchSecret,
  recordVerified,
} from "../../core/secrets/store.ts";
import {
  listSecretVersions,
  openableVersions,
  rotateSecret,
} from "../../core/secrets/store-rotate.ts";
import { matching } from "../../core/secrets/verify.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { sealerOf } from "../edge/sealing.ts";
import { rotateTenantKey } from "../jobs/reseal.ts";
import { forgetLiveAgentsOf } from "../serve/live-agents.ts";
import { demandWholeTenant } from "./narrowing.ts";
import { AtRevision, ById, etag, pageSchema } from "./parameters.ts";

export const secrets = newRoutes()
  .post(
    "/",
    may("secrets:write", "Create a secret"),
    replays(),
    takes("json", CreateSecret),
    answers(201, Secret, "The secret; its value is sealed and never shown."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const scope = c.get("scope");
      const sealer = await sealerOf(c.get("services"), scope, c.get("nowMs"));
      const secret = await createSecret(scope, c.req.valid("json"), sealer, c.get("nowMs"));
      const location = `/v1/secrets/${secret.id}`;
      return c.json(secret, 201, { ...etag(secret.revision), location });
    },
  )
  .get(
    "/",
    may("secrets:read", "List secrets"),
    takes("query", PageQuery),
    answers(200, pageSchema(Secret), "Secrets in the order they were made, without values."),
    async (c) => c.json(await listSecrets(c.get("scope"), c.req.valid("query"), c.get("nowMs"))),
  )
  .get(
    "/data-keys",
    may("secrets:read", "List what the tenant's secrets are sealed under"),
    answers(200, pageSchema(DataKey), "The key that seals, then those that only open."),
    async (c) => {
      const data = await listDataKeys(c.get("scope"), c.get("nowMs"));
      return c.json({ data, next_cursor: null });
    },
  )
  .post(
    "/rotate-data-key",
    may("secrets:write", "Seal everything under a new data key"),
    replays(),
    answers(200, pageSchema(DataKey), "The new key and the old one, with what is left under it."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const scope = c.get("scope");
      const nowMs = c.get("nowMs");
      const [active] = await dataKeysOf(scope);
      if (active === undefined) throw new Problem("conflict", "nothing was sealed yet");
      await rotateTenantKey(c.get("services"), scope, active.id, nowMs);
      return c.json({ data: await listDataKeys(scope, nowMs), next_cursor: null });
    },
  )
  .get(
    "/:id",
    may("secrets:read", "Get a secret"),
    takes("param", ById),
    answers(200, Secret, "The secret, without its value."),
    async (c) => {
      const secret = await getSecret(c.get("scope"), c.req.valid("param").id, c.get("nowMs"));
      return c.json(secret, 200, etag(secret.revision));
    },
  )
  .patch(
    "/:id",
    may("secrets:write", "Describe a secret"),
    takes("param", ById),
    takes("header", AtRevision),
    takes("json", SecretPatch),
    answers(200, Secret, "The secret."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { id } = c.req.valid("param");
      const { "if-match": revision } = c.req.valid("header");
      const patch = c.req.valid("json");
      const secret = await patchSecret(c.get("scope"), id, revision, patch, c.get("nowMs"));
      return c.json(secret, 200, etag(secret.revision));
    },
  )
  .delete(
    "/:id",
    may("secrets:write", "Delete a secret"),
    takes("param", ById),
    takes("header", AtRevision),
    answers(204, null, "It is gone with all its values. Refused while something live names it."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { id } = c.req.valid("param");
      const { "if-match": revision } = c.req.valid("header");
      const scope = c.get("scope");
      await deleteSecret(scope, id, revision, c.get("nowMs"));
      forgetLiveAgentsOf(c.get("services"), scope.tenantId);
      return c.body(null, 204);
    },
  )
  .post(
    "/:id/rotate",
    may("secrets:write", "Give a secret a new value"),
    replays(),
    takes("param", ById),
    takes("json", RotateSecret),
    answers(200, Secret, "The secret; live agents send the new value from their next run on."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { id } = c.req.valid("param");
      const scope = c.get("scope");
      const sealer = await sealerOf(c.get("services"), scope, c.get("nowMs"));
      const secret = await rotateSecret(scope, id, c.req.valid("json"), sealer, c.get("nowMs"));
      forgetLiveAgentsOf(c.get("services"), scope.tenantId);
      return c.json(secret, 200, etag(secret.revision));
    },
  )
  .post(
    "/:id/verify",
    may("secrets:write", "Ask whether a value is the secret's"),
    takes("param", ById),
    takes("json", VerifySecret),
    answers(200, VerifiedSecret, "Which version it is, the current one or one in its overlap."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { id } = c.req.valid("param");
      const scope = c.get("scope");
      const sealer = await sealerOf(c.get("services"), scope, c.get("nowMs"));
      const versions = await openableVersions(scope, id, c.get("nowMs"));
      const verified = await matching(scope, versions, sealer, c.req.valid("json").value);
      await recordVerified(scope, id, verified.valid, c.get("nowMs"));
      return c.json(verified);
    },
  )
  .get(
    "/:id/versions",
    may("secrets:read", "List a secret's versions"),
    takes("param", ById),
    answers(200, pageSchema(SecretVersion), "The last hundred, newest first, without values."),
    async (c) => {
      const { id } = c.req.valid("param");
      const data = await listSecretVersions(c.get("scope"), id, c.get("nowMs"));
      return c.json({ data, next_cursor: null });
    },
  );
