import { z } from "zod";
import { PageQuery } from "../page.ts";

/** What came of one occurrence of a schedule, or of one event of a trigger. */
export const Firing = z.object({
  id: z.string(),
  /** `2026-11-23T09:00:00.000Z` of a schedule, `inv_…` of a trigger, `run …` of one by hand. */
  occurrence: z.string(),
  outcome: z.enum(["started", "refused", "skipped", "waiting"]),
  /** What it started, or null. */
  invocation_id: z.string().nullable(),
  /** Why it started nothing, or nothing yet: a problem's code, `missed`, or `too_deep`. */
  code: z.string().nullable(),
  at: z.string(),
});
export type Firing = z.infer<typeof Firing>;

export const FiringListQuery = PageQuery;

/** A firing that is not written yet. */
export type NewFiring = Pick<Firing, "occurrence" | "outcome"> & {
  /** The schedule or trigger. */
  readonly sourceId: string;
  readonly invocationId: string | null;
  readonly code: string | null;
};

/** How long they are kept. */
export const FIRINGS_KEPT_MS = 30 * 86_400_000;
