import { z } from "zod";
import { PageQuery } from "../page.ts";

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

/** Why nobody could ever decide under this rule, as places below `pointer`; empty when somebody can. */
export function checkRule(
  { when = [], deciders, quorum }: ApprovalRule,
  pointer: string,
): readonly { readonly pointer: string; readonly detail: string }[] {
  const places = when.flatMap(({ op, value }, i) => {
    if (op === "exists" || value !== undefined) return [];
    return [{ pointer: `${pointer}/when/${i}/value`, detail: `${op} needs a value` }];
  });
  const few = deciders !== undefined && deciders.roles.length === 0;
  if (few && new Set(deciders.users).size < quorum) {
    places.push({ pointer: `${pointer}/quorum`, detail: "there are fewer deciders than this" });
  }
  return places;
}

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
  | {
      readonly verdict: "approved";
      readonly approvalId: string;
      readonly arguments: unknown;
      /** They are not what the run asked for. */
      readonly edited: boolean;
    }
  | { readonly verdict: "rejected"; readonly approvalId: string; readonly reason: string }
  | { readonly verdict: "happened"; readonly approvalId: string; readonly result: string };

/** What one person said. */
export const Vote = z.object({
  /** Whose it is: a user's, an app client's or a key's id. */
  by: z.string(),
  verdict: z.enum(["approved", "rejected", "happened"]),
  /** Changed arguments (`approved`); absent: as they were asked. */
  arguments: z.record(z.string(), z.unknown()).optional(),
  /** What the effect gave (`happened`). */
  result: z.string().optional(),
  reason: z.string().optional(),
  at: z.string(),
});
export type Vote = z.infer<typeof Vote>;

const Digest = z.string().min(1).max(80);
const Reason = z.string().min(1).max(1000).optional();

/** Body of `POST /v1/approvals/{id}/approve`. */
export const Approve = z.strictObject({
  /** The approval's `digest` as it was read: what exactly is decided about. */
  digest: Digest,
  /** Call it with these instead. */
  arguments: z.record(z.string(), z.json()).optional(),
  reason: Reason,
});

/** Body of `POST /v1/approvals/{id}/reject`. */
export const Reject = z.strictObject({ digest: Digest, reason: Reason });

/** Body of `POST /v1/approvals/{id}/happened`, about an effect whose outcome was unknown. */
export const Happened = z.strictObject({
  digest: Digest,
  /** What the model is told the tool gave. */
  result: z.string().max(100_000),
  reason: Reason,
});

export const Approval = z.object({
  id: z.string(),
  invocation_id: z.string(),
  /** The agent's slug. */
  agent: z.string(),
  environment: z.string(),
  version: z.number().int(),
  kind: ApprovalKind,
  /** The tool. */
  name: z.string(),
  /** Key of the step that waits. */
  step: z.string(),
  /** As the run asked for them. */
  arguments: z.unknown(),
  /** SHA-256 over invocation, step, tool, arguments and version. */
  digest: z.string(),
  /** What the call is taken to cost, or null. */
  cost_micros: z.number().int().nullable(),
  rule: ApprovalRule,
  status: ApprovalStatus,
  votes: z.array(Vote),
  /** What was decided, with a digest of its own; null while it is open. */
  decision: z
    .object({
      digest: z.string(),
      arguments: z.unknown().optional(),
      result: z.string().optional(),
      reason: z.string().optional(),
    })
    .nullable(),
  created_at: z.string(),
  expires_at: z.string(),
  decided_at: z.string().nullable(),
  /** Of the tenant's key over all of the above. */
  signature: z.string(),
});
export type Approval = z.infer<typeof Approval>;

/** A row of the listing: a projection that may lag and never decides. */
export const ApprovalSummary = Approval.pick({
  id: true,
  invocation_id: true,
  agent: true,
  environment: true,
  kind: true,
  name: true,
  status: true,
  created_at: true,
  expires_at: true,
  decided_at: true,
});
export type ApprovalSummary = z.infer<typeof ApprovalSummary>;

export const ApprovalListQuery = PageQuery.extend({
  agent: z.string().max(80).optional(),
  status: ApprovalStatus.optional(),
});

/** An approval as its object reports it for the listing. */
export type ApprovalEntry = ApprovalSummary & {
  readonly agentId: string;
  /** Names this state of it, for the acknowledgement. */
  readonly owed: number;
};

/** Somebody's word on an approval, who it is settled at the edge. */
export type Deciding = Pick<Vote, "by" | "verdict" | "reason" | "arguments" | "result"> & {
  /** Every id the person goes by here: the credential's, its line's, its owner's. */
  readonly ids: readonly string[];
  /** Who made the key that it decides with; null for no key. */
  readonly madeBy: string | null;
  /** Slugs of the roles that let it decide about this agent. */
  readonly roles: readonly string[];
  readonly digest: string;
};
