/** /v1/schedules — time rules that make invocations. The sweep fires them (workers/jobs/schedules.ts). */
import { rfc3339 } from "../../core/clock.ts";
import { Firing, FiringListQuery } from "../../core/firings/contract.ts";
import { firingInsert, listFirings } from "../../core/firings/store.ts";
import { newId } from "../../core/ids.ts";
import {
  CreateSchedule,
  NextQuery,
  NextRuns,
  PreviewQuery,
  Schedule,
  ScheduleListQuery,
  SchedulePatch,
  StartedRun,
} from "../../core/schedules/contract.ts";
import { nextOfMany } from "../../core/schedules/due.ts";
import {
  createSchedule,
  deleteSchedule,
  getSchedule,
  listSchedules,
  patchSchedule,
  type ScheduleRow,
  toSchedule,
} from "../../core/schedules/store.ts";
import { idempotencyKeyOf, replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { startSchedule } from "../jobs/schedules.ts";
import { recordAsking } from "./accesses.ts";
import {
  demandCovered,
  demandInvoking,
  narrowed,
  permitted,
  reachAgent,
  type Reach,
} from "./narrowing.ts";
import { AtRevision, ById, etag, pageSchema } from "./parameters.ts";

export const schedules = newRoutes()
  .post(
    "/",
    may("schedules:write", "Create a schedule"),
    replays(),
    takes("json", CreateSchedule),
    answers(201, Schedule, "The schedule; its first run is `next_run_at`."),
    async (c) => {
      const wanted = c.req.valid("json");
      const { id: agentId } = await reachAgent(c, wanted.agent, wanted.environment);
      await demandInvoking(c, { agentId, environment: wanted.environment });
      const schedule = await createSchedule(c.get("scope"), agentId, wanted, c.get("nowMs"));
      const location = `/v1/schedules/${schedule.id}`;
      return c.json(schedule, 201, { ...etag(schedule.revision), location });
    },
  )
  .get(
    "/",
    may("schedules:read", "List schedules"),
    takes("query", ScheduleListQuery),
    answers(200, pageSchema(Schedule), "Schedules in the order they were made."),
    async (c) => {
      const query = await narrowed(c, c.req.valid("query"));
      const page = await listSchedules(c.get("scope"), query);
      return c.json(await permitted(c, page, placeOf));
    },
  )
  .get(
    "/preview",
    may("schedules:read", "Tell when an expression would come true"),
    takes("query", PreviewQuery),
    answers(200, NextRuns, "The next occurrences, by the rules for clock changes."),
    (c) => {
      const { count, ...timed } = c.req.valid("query");
      return c.json({ data: nextOfMany(timed, c.get("nowMs"), count).map(rfc3339) });
    },
  )
  .get(
    "/:id",
    may("schedules:read", "Get a schedule"),
    takes("param", ById),
    answers(200, Schedule, "The schedule."),
    async (c) => {
      const row = await reachSchedule(c, c.req.valid("param").id);
      return c.json(toSchedule(row), 200, etag(row.revision));
    },
  )
  .patch(
    "/:id",
    may("schedules:write", "Change a schedule, pause it or let it go on"),
    takes("param", ById),
    takes("header", AtRevision),
    takes("json", SchedulePatch),
    answers(200, Schedule, "The schedule; another rule, or the end of a pause, counts from now."),
    async (c) => {
      const { id, agentId, environment } = await reachSchedule(c, c.req.valid("param").id);
      await demandInvoking(c, { agentId, environment });
      const { "if-match": revision } = c.req.valid("header");
      const patch = c.req.valid("json");
      const changed = await patchSchedule(c.get("scope"), id, revision, patch, c.get("nowMs"));
      return c.json(changed, 200, etag(changed.revision));
    },
  )
  .delete(
    "/:id",
    may("schedules:write", "Delete a schedule"),
    takes("param", ById),
    takes("header", AtRevision),
    answers(204, null, "It is gone; what it started stays."),
    async (c) => {
      const { id } = await reachSchedule(c, c.req.valid("param").id);
      const { "if-match": revision } = c.req.valid("header");
      await deleteSchedule(c.get("scope"), id, revision, c.get("nowMs"));
      return c.body(null, 204);
    },
  )
  .get(
    "/:id/next",
    may("schedules:read", "Tell when a schedule comes true next"),
    takes("param", ById),
    takes("query", NextQuery),
    answers(200, NextRuns, "As if it were not paused."),
    async (c) => {
      const row = await reachSchedule(c, c.req.valid("param").id);
      const { count } = c.req.valid("query");
      return c.json({ data: nextOfMany(row, c.get("nowMs"), count).map(rfc3339) });
    },
  )
  .get(
    "/:id/runs",
    may("schedules:read", "List what a schedule did"),
    takes("param", ById),
    takes("query", FiringListQuery),
    answers(200, pageSchema(Firing), "Of the last 30 days, newest first."),
    async (c) => {
      const { id } = await reachSchedule(c, c.req.valid("param").id);
      return c.json(await listFirings(c.get("scope"), id, c.req.valid("query")));
    },
  )
  .post(
    "/:id/run",
    may("schedules:write", "Run a schedule now"),
    replays(),
    takes("param", ById),
    answers(202, StartedRun, "Beside its own times; follow `Location`."),
    async (c) => {
      const row = await reachSchedule(c, c.req.valid("param").id);
      await demandInvoking(c, row);
      const nowMs = c.get("nowMs");
      const given = idempotencyKeyOf(c.req.raw.headers) ?? newId("request", nowMs);
      const occurrence = `run ${given}`;
      const key = `${row.id}/${occurrence}`;
      const id = await recordAsking(c, "schedule.run_requested", row.id, () =>
        startSchedule(c.env, c.get("scope"), row, key, nowMs),
      );
      const fact = { sourceId: row.id, occurrence, invocationId: id, code: null };
      await firingInsert(c.get("scope"), [{ ...fact, outcome: "started" }], nowMs);
      return c.json({ invocation_id: id }, 202, { location: `/v1/invocations/${id}` });
    },
  );

/** @throws Problem `not_found` | `forbidden` */
async function reachSchedule(c: Reach, id: string): Promise<ScheduleRow> {
  const row = await getSchedule(c.get("scope"), id);
  await demandCovered(c, row, "schedule");
  return row;
}

function placeOf({ agent_id: agentId, environment }: Schedule) {
  return { agentId, environment };
}
