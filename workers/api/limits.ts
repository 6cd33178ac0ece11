/** /v1/limits — how much the tenant, a part of it, a key or a user may ask for. */
import { z } from "zod";
import { CreateLimit, Limit, LimitPatch, LimitUse } from "../../core/limits/contract.ts";
import {
  createLimit,
  deleteLimit,
  getLimit,
  listLimits,
  patchLimit,
} from "../../core/limits/store.ts";
import { PageQuery } from "../../core/page.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { forgetLiveAgentsOf } from "../serve/live-agents.ts";
import { demandWholeTenant } from "./narrowing.ts";
import { AtRevision, ById, etag, pageSchema } from "./parameters.ts";
import { type Use, useOf, UseQuery } from "./rule-use.ts";

export const limits = newRoutes()
  .post(
    "/",
    may("limits:write", "Set a limit"),
    replays(),
    takes("json", CreateLimit),
    answers(201, Limit, "The limit; agents keep to it from their next request on."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const limit = await createLimit(c.get("scope"), c.req.valid("json"), c.get("nowMs"));
      forgetLiveAgentsOf(c.get("services"), c.get("scope").tenantId);
      const location = `/v1/limits/${limit.id}`;
      return c.json(limit, 201, { ...etag(limit.revision), location });
    },
  )
  .get(
    "/",
    may("limits:read", "List limits"),
    takes("query", PageQuery),
    answers(200, pageSchema(Limit), "Limits in the order they were set."),
    async (c) => c.json(await listLimits(c.get("scope"), c.req.valid("query"))),
  )
  .get(
    "/:id",
    may("limits:read", "Get a limit"),
    takes("param", ById),
    answers(200, Limit, "The limit."),
    async (c) => {
      const limit = await getLimit(c.get("scope"), c.req.valid("param").id);
      return c.json(limit, 200, etag(limit.revision));
    },
  )
  .get(
    "/:id/use",
    may("limits:read", "What is used of a limit"),
    takes("param", ById),
    takes("query", UseQuery),
    answers(200, z.object({ data: z.array(LimitUse) }), "The newest period first."),
    async (c) => {
      const limit = await getLimit(c.get("scope"), c.req.valid("param").id);
      const rows = await useOf(c, limit, c.req.valid("query"));
      return c.json({ data: rows.map(counted) });
    },
  )
  .patch(
    "/:id",
    may("limits:write", "Change a limit"),
    takes("param", ById),
    takes("header", AtRevision),
    takes("json", LimitPatch),
    answers(200, Limit, "The limit as changed."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { "if-match": revision } = c.req.valid("header");
      const scope = c.get("scope");
      const { id } = c.req.valid("param");
      const limit = await patchLimit(scope, id, revision, c.req.valid("json"), c.get("nowMs"));
      forgetLiveAgentsOf(c.get("services"), scope.tenantId);
      const resized = { rule: id, revision: limit.revision, cap: limit.limit, warnAtPct: [] };
      await c.get("services").gate(scope.tenantId).resize(scope.tenantId, resized);
      return c.json(limit, 200, etag(limit.revision));
    },
  )
  .delete(
    "/:id",
    may("limits:write", "Remove a limit"),
    takes("param", ById),
    takes("header", AtRevision),
    answers(204, null, "It holds no longer."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { "if-match": revision } = c.req.valid("header");
      const scope = c.get("scope");
      const { id } = c.req.valid("param");
      await deleteLimit(scope, id, revision, c.get("nowMs"));
      forgetLiveAgentsOf(c.get("services"), scope.tenantId);
      const gone = { rule: id, revision, cap: null, warnAtPct: [] };
      await c.get("services").gate(scope.tenantId).resize(scope.tenantId, gone);
      return c.body(null, 204);
    },
  );

function counted({ subject, since, resets_at, cap, used, held }: Use): LimitUse {
  const taken = used + held;
  return { subject, since, resets_at, limit: cap, used: taken, left: Math.max(0, cap - taken) };
}
