import { z } from "zod";

/** A decision about a tool that is to be called, or about an effect whose outcome nobody knows. */
export const ApprovalKind = z.enum(["tool", "effect"]);
export type ApprovalKind = z.infer<typeof ApprovalKind>;

/** Closed set; all but the first are final. */
export const ApprovalStatus = z.enum([
  "pending",
  "approved",
  "rejected",
  "happened",
  "expired",
  "cancelled",
]);
export type ApprovalStatus = z.infer<typeof ApprovalStatus>;

/** One test of the arguments. What cannot be tested, because it is missing or no number, holds. */
export const ApprovalCondition = z.strictObject({
  /** RFC 6901 pointer into the arguments. */
  argument: z
    .string()
    .max(200)
    .regex(/^(?:\/(?:[^~/]|~[01])*)+$/, "expected a JSON pointer"),
  op: z.enum(["equals", "not_equals", "above", "at_least", "below", "at_most", "exists"]),
  value: z.union([z.string().max(1000), z.number(), z.boolean(), z.null()]).optional(),
});
export type ApprovalCondition = z.infer<typeof ApprovalCondition>;

/** When a tool's call waits for people, for whom, and what follows when nobody comes. */
export const ApprovalRule = z.strictObject({
  /** Any of these calls for a decision; absent: every call does. */
  when: z.array(ApprovalCondition).min(1).max(16).optional(),
  /** Who may decide, beside holding `approvals:decide`; absent: whoever holds it. */
  deciders: z
    .strictObject({
      /** `usr_`, `cli_` and `key_` ids. */
      users: z.array(z.string().min(1).max(80)).max(50).default([]),
      /** Ids of roles, `rol_` or built-in. */
      roles: z.array(z.string().min(1).max(80)).max(20).default([]),
    })
    .optional(),
  /** Approvals of different people that are needed. One rejection rejects. */
  quorum: z.number().int().min(1).max(10).default(1),
  /** At most 90 days. */
  expires_in_s: z
    .number()
    .int()
    .min(1)
    .max(90 * 86_400)
    .default(7 * 86_400),
  on_expiry: z.enum(["reject", "approve", "fail"]).default("reject"),
  /** May a decider change the arguments? */
  editable: z.boolean().default(true),
});
export type ApprovalRule = z.infer<typeof ApprovalRule>;

/** What is asked about an effect whose outcome is unknown, unless the tool has a rule of its own. */
export const EFFECT_RULE: ApprovalRule = ApprovalRule.parse({ on_expiry: "fail", editable: false });

/**
 * How an approval came out, for the run that asked.
 *
 * | verdict    | kind `tool`                          | kind `effect`                           |
 * |------------|--------------------------------------|-----------------------------------------|
 * | `approved` | call it, with these arguments        | send it again                           |
 * | `rejected` | do not call; the model reads why     | it did not happen; the model reads that |
 * | `happened` | –                                    | it did, and gave this result            |
 */
export type Decision =
  | { readonly verdict: "approved"; readonly approvalId: string; readonly arguments: unknown }
  | { readonly verdict: "rejected"; readonly approvalId: string; readonly reason: string }
  | { readonly verdict: "happened"; readonly approvalId: string; readonly result: string };
