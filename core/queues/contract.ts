import { z } from "zod";
import { PageQuery } from "../page.ts";

/** Of an agent's queue: the environment's, `prod` unless said. */
export const QueueQuery = PageQuery.extend({
  environment: z.string().min(1).max(80).default("prod"),
});
export type QueueQuery = z.infer<typeof QueueQuery>;

/** An invocation that is accepted and has not ended. */
export const QueueEntry = z.object({
  invocation_id: z.string(),
  session_id: z.string(),
  status: z.enum(["accepted", "running", "waiting"]),
  /**
   * What it waits for: an earlier turn of its `session`, a `retry`, a `place` among the runs, or
   * what its run said; null while it runs.
   */
  waits_for: z.string().nullable(),
  attempts: z.number().int(),
  due_at: z.string().nullable(),
  created_at: z.string(),
});
export type QueueEntry = z.infer<typeof QueueEntry>;

/** How many there are in each state. */
export const QueueCounts = z.object({
  accepted: z.number().int(),
  running: z.number().int(),
  waiting: z.number().int(),
});
export type QueueCounts = z.infer<typeof QueueCounts>;

/** An agent's queue, oldest first. */
export const QueuePage = z.object({
  counts: QueueCounts,
  data: z.array(QueueEntry),
  next_cursor: z.string().nullable(),
});

export const ClearedQueue = z.object({
  /** Invocations that were cancelled. */
  cancelled: z.number().int(),
});
