/**
 * What a vote makes of an approval. Pure: who asks, and the row, are the caller's.
 *
 * V1  The run's own principal decides nothing, nor does whoever its key stands for, nor a key that
 *     it made.
 * V2  One person is one vote; the later replaces the earlier.
 * V3  Approvals count together when they are of the same thing: an edit is another thing.
 */
import { rfc3339 } from "../clock.ts";
import { canonical } from "../json/canonical.ts";
import { refuse, type Refusal } from "../problem.ts";
import type { ApprovalKind, ApprovalRule, ApprovalStatus, Deciding, Vote } from "./contract.ts";

/** An approval as far as a decision looks at it. */
export type Open = {
  readonly kind: ApprovalKind;
  readonly status: ApprovalStatus;
  readonly digest: string;
  readonly rule: ApprovalRule;
  readonly votes: readonly Vote[];
  readonly expiresMs: number;
  /** Ids of whoever the run acts as. */
  readonly own: readonly string[];
};

/** The votes with this one, and what they come to. */
export type Decided = {
  readonly ok: true;
  readonly votes: readonly Vote[];
  readonly status: Exclude<ApprovalStatus, "expired" | "cancelled">;
};

/**
 * @returns  the same votes and status when it was decided like this before: deciding twice is no
 *           error, whoever does it.
 */
export function decideOn(open: Open, by: Deciding, nowMs: number): Decided | Refusal {
  const refused = refusalOf(open, by);
  if (refused) return refused;
  const { status, votes } = open;
  if (status === "expired" || (status === "pending" && nowMs >= open.expiresMs)) {
    return refuse("approval_expired", "its time was over before it was decided");
  }
  if (status === "cancelled") return refuse("conflict", "the run it was for has ended");
  const vote = voteOf(by, nowMs);
  if (status !== "pending") {
    const same = votes.some((it) => thingOf(it) === thingOf(vote) && it.verdict === status);
    return same ? { ok: true, votes, status } : refuse("conflict", `it was ${status} already`);
  }
  const counted = [...votes.filter((it) => it.by !== vote.by), vote];
  return { ok: true, votes: counted, status: outcomeOf(counted, vote, open.rule) };
}

function refusalOf({ own, rule, digest, kind }: Open, by: Deciding): Refusal | undefined {
  if (own.some((id) => by.ids.includes(id) || id === by.madeBy)) {
    return refuse("forbidden", "a run's own principal does not decide about it"); // V1
  }
  const { deciders } = rule;
  const named = deciders?.users.some((id) => by.ids.includes(id)) ?? true;
  const inRole = deciders?.roles.some((role) => by.roles.includes(role)) ?? false;
  if (!named && !inRole) return refuse("forbidden", "the rule names others to decide");
  if (by.digest !== digest) {
    return refuse("version_conflict", "this is not what the approval is about", {
      errors: [{ pointer: "/digest", detail: "expected the approval's digest" }],
    });
  }
  if (by.verdict === "happened" && kind !== "effect") {
    return refuse("conflict", "nothing was sent yet that could have happened");
  }
  if (by.arguments !== undefined && (kind === "effect" || !rule.editable)) {
    return refuse("forbidden", "its arguments are not to be changed");
  }
  return undefined;
}

function outcomeOf(votes: readonly Vote[], vote: Vote, { quorum }: ApprovalRule) {
  if (vote.verdict === "rejected") return "rejected";
  const alike = votes.filter((it) => thingOf(it) === thingOf(vote));
  return alike.length >= quorum ? vote.verdict : "pending";
}

/** What is voted for, in one text (V3). */
function thingOf({ verdict, arguments: args, result }: Vote): string {
  return canonical({ verdict, arguments: args, result });
}

function voteOf({ by, verdict, arguments: args, result, reason }: Deciding, nowMs: number): Vote {
  return {
    by,
    verdict,
    ...(args === undefined ? {} : { arguments: args }),
    ...(result === undefined ? {} : { result }),
    ...(reason === undefined ? {} : { reason }),
    at: rfc3339(nowMs),
  };
}
