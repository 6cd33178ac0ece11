/** /v1/triggers — ends of one agent's invocations that make invocations of another. */
import { Firing, FiringListQuery } from "../../core/firings/contract.ts";
import { listFirings } from "../../core/firings/store.ts";
import {
  CreateTrigger,
  Trigger,
  TriggerListQuery,
  TriggerPatch,
} from "../../core/triggers/contract.ts";
import {
  createTrigger,
  deleteTrigger,
  getTrigger,
  listTriggers,
  patchTrigger,
} from "../../core/triggers/store.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import {
  demandCovered,
  demandInvoking,
  demandReading,
  narrowed,
  permitted,
  reachAgent,
  type Reach,
} from "./narrowing.ts";
import { AtRevision, ById, etag, pageSchema } from "./parameters.ts";

export const triggers = newRoutes()
  .post(
    "/",
    may("schedules:write", "Create a trigger"),
    replays(),
    takes("json", CreateTrigger),
    answers(201, Trigger, "The trigger; ends from now on count."),
    async (c) => {
      const wanted = c.req.valid("json");
      const { id: agentId } = await reachAgent(c, wanted.agent, wanted.environment);
      const { id: targetId } = await reachAgent(c, wanted.target, wanted.target_environment);
      await demandReading(c, { agentId, environment: wanted.environment });
      await demandInvoking(c, { agentId: targetId, environment: wanted.target_environment });
      const ends = { agentId, targetId };
      const trigger = await createTrigger(c.get("scope"), ends, wanted, c.get("nowMs"));
      const location = `/v1/triggers/${trigger.id}`;
      return c.json(trigger, 201, { ...etag(trigger.revision), location });
    },
  )
  .get(
    "/",
    may("schedules:read", "List triggers"),
    takes("query", TriggerListQuery),
    answers(200, pageSchema(Trigger), "Triggers in the order they were made."),
    async (c) => {
      const query = await narrowed(c, c.req.valid("query"));
      const page = await listTriggers(c.get("scope"), query);
      const sources = await permitted(c, page, sourceOf);
      return c.json(await permitted(c, sources, targetOf));
    },
  )
  .get(
    "/:id",
    may("schedules:read", "Get a trigger"),
    takes("param", ById),
    answers(200, Trigger, "The trigger."),
    async (c) => {
      const trigger = await reachTrigger(c, c.req.valid("param").id);
      return c.json(trigger, 200, etag(trigger.revision));
    },
  )
  .patch(
    "/:id",
    may("schedules:write", "Change a trigger, pause it or let it go on"),
    takes("param", ById),
    takes("header", AtRevision),
    takes("json", TriggerPatch),
    answers(200, Trigger, "The trigger."),
    async (c) => {
      const before = await reachTrigger(c, c.req.valid("param").id);
      await demandReading(c, sourceOf(before));
      await demandInvoking(c, targetOf(before));
      const { "if-match": revision } = c.req.valid("header");
      const patch = c.req.valid("json");
      const scope = c.get("scope");
      const changed = await patchTrigger(scope, before.id, revision, patch, c.get("nowMs"));
      return c.json(changed, 200, etag(changed.revision));
    },
  )
  .delete(
    "/:id",
    may("schedules:write", "Delete a trigger"),
    takes("param", ById),
    takes("header", AtRevision),
    answers(204, null, "It is gone; what it started stays."),
    async (c) => {
      const { id } = await reachTrigger(c, c.req.valid("param").id);
      const { "if-match": revision } = c.req.valid("header");
      await deleteTrigger(c.get("scope"), id, revision, c.get("nowMs"));
      return c.body(null, 204);
    },
  )
  .get(
    "/:id/runs",
    may("schedules:read", "List what a trigger did"),
    takes("param", ById),
    takes("query", FiringListQuery),
    answers(200, pageSchema(Firing), "Of the last 30 days, newest first."),
    async (c) => {
      const { id } = await reachTrigger(c, c.req.valid("param").id);
      return c.json(await listFirings(c.get("scope"), id, c.req.valid("query")));
    },
  );

/** One whose two agents the principal reaches. @throws Problem `not_found` | `forbidden` */
async function reachTrigger(c: Reach, id: string): Promise<Trigger> {
  const trigger = await getTrigger(c.get("scope"), id);
  await demandCovered(c, sourceOf(trigger), "trigger");
  await demandCovered(c, targetOf(trigger), "trigger");
  return trigger;
}

function sourceOf({ agent_id: agentId, environment }: Trigger) {
  return { agentId, environment };
}

function targetOf({ target_id: agentId, target_environment: environment }: Trigger) {
  return { agentId, environment };
}
