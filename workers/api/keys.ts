/** /v1/keys — API keys of the tenant. A key mints only a subset of itself. */
import { CreateKey, IssuedKey, Key } from "../../core/keys/contract.ts";
import { createKey, getKey, listKeys, revokeKey } from "../../core/keys/store.ts";
import { PageQuery } from "../../core/page.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { demandWholeTenant } from "./narrowing.ts";
import { ById, pageSchema } from "./parameters.ts";

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
      return c.json(key, 201, { location: `/v1/keys/${key.id}` });
    },
  )
  .get(
    "/",
    may("keys:read", "List keys"),
    takes("query", PageQuery),
    answers(200, pageSchema(Key), "Keys in the order they were made, revoked ones too."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      return c.json(await listKeys(c.get("scope"), c.req.valid("query")));
    },
  )
  .get(
    "/:id",
    may("keys:read", "Get a key"),
    takes("param", ById),
    answers(200, Key, "The key, without its secret."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      return c.json(await getKey(c.get("scope"), c.req.valid("param").id));
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
