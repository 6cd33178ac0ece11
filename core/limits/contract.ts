/**
 * What may be used up: by a credential, and under the limits and budgets of a tenant. The tenant's
 * gate counts it (durable-objects/tenant-gate/).
 */
import { z } from "zod";

/** So many whole units in each period; they may come at once. */
export type Rate = { readonly limit: number; readonly periodMs: number };

/** A number of units as somebody set it; what is left of them only the gate knows. */
export type CreditBudget = {
  readonly units: number;
  /** Counts how often it was set: a later one replaces what the gate has, the same one does not. */
  readonly revision: number;
  readonly setAtMs: number;
  /** Each `intervalMs` after `setAtMs` what is left is filled up to `amount`; null for never. */
  readonly refill: { readonly amount: number; readonly intervalMs: number } | null;
};

export type Credits = { readonly remaining: number; readonly refillsAtMs: number | null };

/** The limits of one credential. */
export type Meter = {
  /** Names its counters inside the tenant; a rotated key goes on with those of its first. */
  readonly subject: string;
  readonly rates: readonly Rate[];
  readonly credits: CreditBudget | null;
};

/**
 * Whom a limit, a budget or a stop is about. `user` is who an invocation is made for: the person
 * whose credential it is, else `metadata.user_id`, else the caller itself.
 */
export const Level = z.enum(["tenant", "project", "key", "agent", "user"]);
export type Level = z.infer<typeof Level>;

/** Each of its level by itself, however many there are. */
export const EACH = "*";

/** One line without control characters; a user's is the tenant's own name for them. */
const Subject = z
  .string()
  .min(1)
  .max(512)
  .regex(/^[^\p{Cc}\p{Cs}]+$/u, "one line of text without control characters");

/** What every body that makes a limit, a budget or a stop has. */
export const AIM = {
  level: Level,
  /** An id (of a project or an agent its slug too), or `*` for each by itself; none for the tenant. */
  subject: Subject.optional(),
};

/** For `refine`: the tenant is one, of all others there are many. */
export function aimed(it: {
  readonly level: Level;
  readonly subject?: string | undefined;
}): boolean {
  return (it.level === "tenant") === (it.subject === undefined);
}

export const AIMED = { path: ["subject"], error: "required, but for the level tenant" };

/** Whom it is about, as stored and carried: `subject` is null for the tenant. */
export type Aim = { readonly level: Level; readonly subject: string | null };

/** A rate's period, or how many may be open at once. */
export const LimitPer = z.enum(["minute", "hour", "day", "concurrency"]);
export type LimitPer = z.infer<typeof LimitPer>;

/** A number of invocations that may be made in each period, or be open at once. */
export const Limit = z.object({
  id: z.string(),
  level: Level,
  subject: z.string().nullable(),
  per: LimitPer,
  limit: z.number().int(),
  revision: z.number().int(),
  created_at: z.string(),
  updated_at: z.string(),
});
export type Limit = z.infer<typeof Limit>;

const Count = z.number().int().min(0).max(1_000_000_000);

/** Body of `POST /v1/limits`. */
export const CreateLimit = z
  .strictObject({ ...AIM, per: LimitPer, limit: Count })
  .refine(aimed, AIMED);
export type CreateLimit = z.infer<typeof CreateLimit>;

/** Body of `PATCH /v1/limits/{id}`. */
export const LimitPatch = z.strictObject({ limit: Count });
export type LimitPatch = z.infer<typeof LimitPatch>;

/** What is used of a limit now, for one subject. */
export const LimitUse = z.object({
  subject: z.string().nullable(),
  /** When the period began, and when the next begins; null for `concurrency`. */
  since: z.string().nullable(),
  resets_at: z.string().nullable(),
  limit: z.number().int(),
  used: z.number().int(),
  left: z.number().int(),
});
export type LimitUse = z.infer<typeof LimitUse>;

export type RateRule = Aim & {
  readonly id: string;
  readonly revision: number;
  readonly per: LimitPer;
  readonly limit: number;
};

export type BudgetPeriod = "invocation" | "day" | "month" | "total";

export type BudgetRule = Aim & {
  readonly id: string;
  readonly revision: number;
  readonly period: BudgetPeriod;
  readonly amountMicros: number;
  /** Percentages of the amount at which a warning is kept. */
  readonly warnAtPct: readonly number[];
  /** What becomes of a run that comes to its end on the way. */
  readonly exhausted: "fail" | "wait";
};

export type StopRule = Aim & { readonly id: string; readonly reason: string };

/** The limits, budgets and stops that can concern an agent, as its release carries them. */
export type Rules = {
  readonly limits: readonly RateRule[];
  readonly budgets: readonly BudgetRule[];
  readonly stops: readonly StopRule[];
};
