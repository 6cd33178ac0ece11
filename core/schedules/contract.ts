import { z } from "zod";
import { InvokeBody } from "../invocations/contract.ts";
import { IdOrSlug, Name, Slug } from "../names.ts";
import { PageQuery, wholeNumber } from "../page.ts";
import { parseCron } from "./cron.ts";
import { isZone } from "./occurrences.ts";

/** Five fields, or a word such as `@daily` (./cron.ts). */
const CronText = z
  .string()
  .min(1)
  .max(200)
  .check((context) => {
    const parsed = parseCron(context.value);
    if (typeof parsed !== "string") return;
    context.issues.push({ code: "custom", message: parsed, input: context.value });
  });

const Zone = z.string().min(1).max(64).refine(isZone, "expected an IANA time zone");

/**
 * What happens to occurrences that nobody fired in time: the platform was away, or the agent refused.
 *
 * `skip`: they are gone. `one`: the last of them is fired. `all`: each is, at most 100, oldest first.
 */
export const MissedRuns = z.enum(["skip", "one", "all"]);
export type MissedRuns = z.infer<typeof MissedRuns>;

/** The most missed occurrences that are made up for. */
export const MISSED_MOST = 100;

/** Schedules of one tenant, so that none keeps the sweep from the others'; as many triggers. */
export const RULES_MOST = 500;

/** Up to this an occurrence is not late: the sweep comes once a minute. */
export const ON_TIME_MS = 5 * 60_000;

const Work = {
  /** What the agent is asked each time. */
  input: InvokeBody.shape.input,
  /** The schedule's own name for a session that all its runs share; absent: each has its own. */
  session_id: z.string().min(1).max(200).nullable(),
  max_cost_micros: InvokeBody.shape.max_cost_micros.unwrap().nullable(),
};

/** Body of `POST /v1/schedules`. */
export const CreateSchedule = z.strictObject({
  name: Name,
  agent: IdOrSlug,
  environment: Slug.default("prod"),
  cron: CronText,
  zone: Zone.default("UTC"),
  input: Work.input,
  session_id: Work.session_id.default(null),
  max_cost_micros: Work.max_cost_micros.default(null),
  missed: MissedRuns.default("one"),
  paused: z.boolean().default(false),
});
export type CreateSchedule = z.infer<typeof CreateSchedule>;

/** Body of `PATCH /v1/schedules/{id}`: at least one field. Agent and environment stay. */
export const SchedulePatch = z
  .strictObject({
    name: Name.optional(),
    cron: CronText.optional(),
    zone: Zone.optional(),
    input: Work.input.optional(),
    session_id: Work.session_id.optional(),
    max_cost_micros: Work.max_cost_micros.optional(),
    missed: MissedRuns.optional(),
    paused: z.boolean().optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, "nothing to change");
export type SchedulePatch = z.infer<typeof SchedulePatch>;

export const Schedule = z.object({
  id: z.string(),
  name: z.string(),
  agent_id: z.string(),
  environment: z.string(),
  cron: z.string(),
  zone: z.string(),
  input: z.union([z.string(), z.array(z.unknown())]),
  session_id: z.string().nullable(),
  max_cost_micros: z.number().int().nullable(),
  missed: MissedRuns,
  paused: z.boolean(),
  /** Null while it is paused, or when no occurrence comes any more. */
  next_run_at: z.string().nullable(),
  /** Of the last occurrence that was dealt with. */
  last_run_at: z.string().nullable(),
  /** Id of who made it. */
  created_by: z.string(),
  revision: z.number().int(),
  created_at: z.string(),
  updated_at: z.string(),
});
export type Schedule = z.infer<typeof Schedule>;

export const ScheduleListQuery = PageQuery.extend({ agent: IdOrSlug.optional() });

const Count = wholeNumber({ min: 1, max: 50 }).default(5);

/** Query of `GET /v1/schedules/{id}/next`. */
export const NextQuery = z.strictObject({ count: Count });

/** Query of `GET /v1/schedules/preview`: of a schedule that is not made yet. */
export const PreviewQuery = z.strictObject({
  cron: CronText,
  zone: Zone.default("UTC"),
  count: Count,
});

export const NextRuns = z.object({ data: z.array(z.string()) });

/** Answer of `POST /v1/schedules/{id}/run`. */
export const StartedRun = z.object({ invocation_id: z.string() });
