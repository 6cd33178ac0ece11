import { z } from "zod";
import { AIM, AIMED, aimed, Level } from "../limits/contract.ts";

export const Period = z.enum(["invocation", "day", "month", "total"]);

/** Micro-USD: a millionth of a dollar. */
const Amount = z.number().int().min(0).max(1_000_000_000_000);

const WarnAt = z
  .array(z.number().int().min(1).max(100))
  .max(5)
  .refine((at) => new Set(at).size === at.length, "each percentage once");

const Exhausted = z.enum(["fail", "wait"]);

/** How much may be spent in each period; days and months are those of UTC. */
export const Budget = z.object({
  id: z.string(),
  level: Level,
  subject: z.string().nullable(),
  period: Period,
  amount_micros: z.number().int(),
  amount_usd: z.string(),
  /** Percentages of the amount at which a warning is kept; of budgets of one invocation none is. */
  warn_at_percent: z.array(z.number().int()),
  /** What becomes of a run that the budget does not carry on: it fails, or waits for the next period. */
  when_exhausted: Exhausted,
  revision: z.number().int(),
  created_at: z.string(),
  updated_at: z.string(),
});
export type Budget = z.infer<typeof Budget>;

/** Body of `POST /v1/budgets`. */
export const CreateBudget = z
  .strictObject({
    ...AIM,
    period: Period,
    amount_micros: Amount,
    warn_at_percent: WarnAt.default([80, 100]),
    when_exhausted: Exhausted.default("fail"),
  })
  .refine(aimed, AIMED);
export type CreateBudget = z.infer<typeof CreateBudget>;

/** Body of `PATCH /v1/budgets/{id}`. */
export const BudgetPatch = z
  .strictObject({
    amount_micros: Amount.optional(),
    warn_at_percent: WarnAt.optional(),
    when_exhausted: Exhausted.optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, "nothing to change");
export type BudgetPatch = z.infer<typeof BudgetPatch>;

/** What is spent of a budget in a period, for one subject. */
export const BudgetUse = z.object({
  subject: z.string().nullable(),
  /** When the period began, and when the next begins; null for `total`. */
  since: z.string().nullable(),
  resets_at: z.string().nullable(),
  amount_micros: z.number().int(),
  spent_micros: z.number().int(),
  /** Held for steps that are under way, at their worst case. */
  reserved_micros: z.number().int(),
  left_micros: z.number().int(),
  spent_usd: z.string(),
  warnings: z.array(z.object({ percent: z.number().int(), at: z.string() })),
});
export type BudgetUse = z.infer<typeof BudgetUse>;
