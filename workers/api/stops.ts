/** /v1/stops — kill switches: what they are about ends, also what is under way, and does not begin. */
import { PageQuery } from "../../core/page.ts";
import { CreateStop, Stop } from "../../core/stops/contract.ts";
import { createStop, deleteStop, getStop, listStops } from "../../core/stops/store.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { reachObjects } from "../jobs/stops.ts";
import { forgetLiveAgentsOf } from "../serve/live-agents.ts";
import { demandWholeTenant } from "./narrowing.ts";
import { ById, pageSchema } from "./parameters.ts";

export const stops = newRoutes()
  .post(
    "/",
    may("stops:write", "Throw a kill switch"),
    replays(),
    takes("json", CreateStop),
    answers(201, Stop, "Thrown. With `reached_at` null some agents are told within a minute."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const scope = c.get("scope");
      const stop = await createStop(scope, c.req.valid("json"), c.get("nowMs"));
      forgetLiveAgentsOf(c.get("services"), scope.tenantId);
      await reachObjects(c.env, scope, stop, c.get("nowMs"));
      const location = `/v1/stops/${stop.id}`;
      return c.json(await getStop(scope, stop.id), 201, { location });
    },
  )
  .get(
    "/",
    may("stops:read", "List kill switches that are thrown"),
    takes("query", PageQuery),
    answers(200, pageSchema(Stop), "Stops in the order they were thrown."),
    async (c) => c.json(await listStops(c.get("scope"), c.req.valid("query"))),
  )
  .get(
    "/:id",
    may("stops:read", "Get a kill switch"),
    takes("param", ById),
    answers(200, Stop, "The stop."),
    async (c) => c.json(await getStop(c.get("scope"), c.req.valid("param").id)),
  )
  .delete(
    "/:id",
    may("stops:write", "Lift a kill switch"),
    takes("param", ById),
    answers(204, null, "Lifted; what it ended stays ended."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const scope = c.get("scope");
      await deleteStop(scope, c.req.valid("param").id, c.get("nowMs"));
      forgetLiveAgentsOf(c.get("services"), scope.tenantId);
      return c.body(null, 204);
    },
  );
