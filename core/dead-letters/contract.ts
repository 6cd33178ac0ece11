import { z } from "zod";
import { Invocation, InvokeBody } from "../invocations/contract.ts";
import { PageQuery } from "../page.ts";
import { ResumeBody } from "../replays/contract.ts";

/** `redriving`: being handed to its agent. `redriven`: another invocation goes on with it. */
export const LetterState = z.enum(["open", "redriving", "redriven"]);
export type LetterState = z.infer<typeof LetterState>;

/** How it ended: retries used up, or by what no retry mends. */
export const LetterStatus = z.enum(["dead", "failed"]);
export type LetterStatus = z.infer<typeof LetterStatus>;

/** An invocation that ended without an answer, as the listing has it. Its id is the invocation's. */
export const DeadLetter = z.object({
  id: z.string(),
  agent_id: z.string(),
  /** The slug at the time. */
  agent: z.string(),
  environment: z.string(),
  version: z.number().int(),
  session_id: z.string(),
  status: LetterStatus,
  /** Code of the problem that ended it. */
  cause: z.string(),
  detail: z.string(),
  attempts: z.number().int(),
  cost_micros: z.number().int(),
  state: LetterState,
  /** The invocation that goes on with it. */
  redriven_to: z.string().nullable(),
  /** Why the last attempt to re-drive it was refused. */
  refused: z.object({ code: z.string(), detail: z.string() }).nullable(),
  created_at: z.string(),
  ended_at: z.string(),
});
export type DeadLetter = z.infer<typeof DeadLetter>;

/** What only the agent's object holds of it. */
export const LetterContent = z.object({
  input: Invocation.shape.input,
  /** What it is asked instead when it is re-driven; null when that is its own input. */
  amended_input: Invocation.shape.input.nullable(),
  /** Of the amendment; 1 before the first. */
  revision: z.number().int(),
  amended_at: z.string().nullable(),
  amended_by: z.string().nullable(),
  /** The step it broke at. */
  failed_step: z.string().nullable(),
  /** Steps a re-drive takes over and does not pay for again. */
  finished_steps: z.number().int(),
});
export type LetterContent = z.infer<typeof LetterContent>;

export const DeadLetterDetail = DeadLetter.extend(LetterContent.shape);
export type DeadLetterDetail = z.infer<typeof DeadLetterDetail>;

const LetterFilter = {
  /** Slug or id. */
  agent: z.string().min(1).max(80).optional(),
  environment: z.string().min(1).max(80).optional(),
  cause: z.string().min(1).max(80).optional(),
  status: LetterStatus.optional(),
};

export const DeadLetterQuery = PageQuery.extend({ ...LetterFilter, state: LetterState.optional() });
export type DeadLetterQuery = z.infer<typeof DeadLetterQuery>;

export const DeadLetterCauseQuery = z.strictObject({
  agent: LetterFilter.agent,
  environment: LetterFilter.environment,
});
export type DeadLetterCauseQuery = z.infer<typeof DeadLetterCauseQuery>;

/** Open dead letters of one cause, agent and environment. */
export const DeadLetterCause = z.object({
  cause: z.string(),
  status: LetterStatus,
  agent_id: z.string(),
  agent: z.string(),
  environment: z.string(),
  count: z.number().int(),
  first_ended_at: z.string(),
  last_ended_at: z.string(),
});
export type DeadLetterCause = z.infer<typeof DeadLetterCause>;

/** Body of `PATCH /v1/dead-letters/{id}`. */
export const DeadLetterPatch = z.strictObject({ input: InvokeBody.shape.input });
export type DeadLetterPatch = z.infer<typeof DeadLetterPatch>;

/** Body of `POST /v1/dead-letters/{id}/redrive`. */
export const RedriveOne = ResumeBody;

/** Body of `POST /v1/dead-letters/redrive`: of all open letters that fit. */
export const CreateRedrive = z.strictObject({
  ...LetterFilter,
  /** Most letters handed to their agents in one minute. */
  per_minute: z.number().int().min(1).max(600).default(60),
  /** Go on under this version; the one that is live, unless said. */
  version: ResumeBody.shape.version,
  /** Leave the finished steps and begin anew. */
  fresh: z.boolean().default(false),
});
export type CreateRedrive = z.infer<typeof CreateRedrive>;

export const RedriveStatus = z.enum(["running", "done", "cancelled"]);
export type RedriveStatus = z.infer<typeof RedriveStatus>;

/** A bulk re-drive under way or over. */
export const Redrive = z.object({
  id: z.string(),
  status: RedriveStatus,
  agent_id: z.string().nullable(),
  environment: z.string().nullable(),
  cause: z.string().nullable(),
  letter_status: LetterStatus.nullable(),
  per_minute: z.number().int(),
  version: z.number().int().nullable(),
  fresh: z.boolean(),
  /** Letters that fitted when it was asked for. */
  total: z.number().int(),
  redriven: z.number().int(),
  refused: z.number().int(),
  /** When the last is handed on at this rate; null when it is over. */
  eta: z.string().nullable(),
  created_at: z.string(),
  finished_at: z.string().nullable(),
});
export type Redrive = z.infer<typeof Redrive>;
