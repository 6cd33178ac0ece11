/** /v1/keys — API keys of the tenant. A key mints only a subset of itself. */
import {
  CreateKey,
  IssuedKey,
  Key,
  KeyListQuery,
  KeyPatch,
  KeyUsage,
  KeyUsageQuery,
  KeyVerdict,
  RotateKey,
  VerifyKey,
} from "../../core/keys/contract.ts";
import { patchKey, rotateKey } from "../../core/keys/store-change.ts";
import { createKey, getKey, listKeys, revokeKey } from "../../core/keys/store.ts";
import { Problem } from "../../core/problem.ts";
import type { Arrival, TenantArrival } from "../edge/arrival.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { usageOfKey } from "./key-usage.ts";
import { verifyKey } from "./key-verify.ts";
import { demandWholeTenant } from "./narrowing.ts";
import { AtRevision, ById, etag, pageSchema } from "./parameters.ts";

export const keys = newRoutes()
  .post(
    "/",
    may("keys:write", "Create a key"),
    replays(),
    takes("json", CreateKey),
    answers(201, IssuedKey, "The key; its secret is shown this once."),
    async (c) => {
      const wanted = c.req.valid("json");
      const key = await createKey(c.get("scope"), c.get("principal"), wanted, c.get("nowMs"));
      return c.json(key, 201, { ...etag(key.revision), location: `/v1/keys/${key.id}` });
    },
  )
  .get(
    "/",
    may("keys:read", "List keys"),
    takes("query", KeyListQuery),
    answers(200, pageSchema(Key), "Keys in the order they were made, revoked ones too."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      return c.json(await listKeys(c.get("scope"), c.req.valid("query")));
    },
  )
  .post(
    "/verify",
    may("keys:verify", "Say what a key is good for"),
    takes("json", VerifyKey),
    answers(200, KeyVerdict, "What it is good for; `valid: false` and a reason if nothing."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      return c.json(await verifyKey(atTenant(c.get("arrival")), c.req.valid("json")));
    },
  )
  .get(
    "/:id",
    may("keys:read", "Get a key"),
    takes("param", ById),
    answers(200, Key, "The key, without its secret."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const key = await getKey(c.get("scope"), c.req.valid("param").id);
      return c.json(key, 200, etag(key.revision));
    },
  )
  .patch(
    "/:id",
    may("keys:write", "Change what a key may"),
    takes("param", ById),
    takes("header", AtRevision),
    takes("json", KeyPatch),
    answers(200, Key, "The key; everywhere within the cache time."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { id } = c.req.valid("param");
      const { "if-match": revision } = c.req.valid("header");
      const [scope, patch] = [c.get("scope"), c.req.valid("json")];
      const key = await patchKey(scope, c.get("principal"), id, revision, patch, c.get("nowMs"));
      c.get("services").keys.forget(id);
      return c.json(key, 200, etag(key.revision));
    },
  )
  .get(
    "/:id/usage",
    may("keys:read", "How a key was used"),
    takes("param", ById),
    takes("query", KeyUsageQuery),
    answers(200, KeyUsage, "By day; what was counted in the last seconds may be missing."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { days } = c.req.valid("query");
      const { id } = c.req.valid("param");
      return c.json(await usageOfKey(c.get("services"), c.get("scope"), id, days, c.get("nowMs")));
    },
  )
  .post(
    "/:id/rotate",
    may("keys:write", "Replace a key by a new one"),
    replays(),
    takes("param", ById),
    takes("json", RotateKey, { optional: true }),
    answers(201, IssuedKey, "The new key, shown this once; the old one ends after the grace."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { id } = c.req.valid("param");
      const [scope, wish] = [c.get("scope"), c.req.valid("json")];
      const key = await rotateKey(scope, c.get("principal"), id, wish, c.get("nowMs"));
      c.get("services").keys.forget(id);
      return c.json(key, 201, { ...etag(key.revision), location: `/v1/keys/${key.id}` });
    },
  )
  .post(
    "/:id/revoke",
    may("keys:write", "Revoke a key"),
    replays(),
    takes("param", ById),
    answers(200, Key, "The key; it stops working within the cache time."),
    async (c) => {
      const { id } = c.req.valid("param");
      demandWholeTenant(c.get("principal"));
      const key = await revokeKey(c.get("scope"), id, c.get("nowMs"));
      c.get("services").keys.forget(id);
      return c.json(key);
    },
  );

function atTenant(arrival: Arrival): TenantArrival {
  if (arrival.at === "tenant") return arrival;
  throw new Problem("not_found", "no such resource");
}
