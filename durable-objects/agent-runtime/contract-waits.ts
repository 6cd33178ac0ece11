import type { ApprovalEntry, Deciding } from "../../core/approvals/contract.ts";
import type { Callback } from "../../core/callbacks/contract.ts";
import type { Refusal } from "../../core/problem.ts";
import type { Acknowledged, Owner } from "./contract.ts";
import type { Text } from "./text.ts";

/** `body`: an `Approval` as JSON. */
export type FoundApproval = {
  readonly ok: true;
  readonly body: Text;
  /** Whoever the run acts as. */
  readonly principal: string;
};

export type OwedApprovals = { readonly ok: true; readonly entries: readonly ApprovalEntry[] };
export type SeenApproval = Pick<ApprovalEntry, "id" | "owed">;

export type FoundCallback = {
  readonly ok: true;
  readonly callback: Callback;
  /** The part of its address that proves whoever knows it was given it. */
  readonly proof?: string;
};

/** `proof`: of the address it came by; absent when the caller was allowed to by its scope. */
export type CallbackReply = { readonly id: string; readonly body: string; readonly proof?: string };

/** What a run waits for, and who may say that it is there. */
export type WaitsRpc = {
  approval(owner: Owner, id: string): Promise<FoundApproval | Refusal>;
  /**
   * One vote; the run goes on when it decides.
   *
   * @param own  Every id of whoever the run acts as, which may not decide.
   */
  decideApproval(
    owner: Owner,
    id: string,
    deciding: Deciding,
    own: readonly string[],
  ): Promise<FoundApproval | Refusal>;
  /** Up to `limit` approvals that the listing has not as they are. */
  approvalsOwed(owner: Owner, limit: number): Promise<OwedApprovals | Refusal>;
  acknowledgeApprovals(
    owner: Owner,
    seen: readonly SeenApproval[],
  ): Promise<Acknowledged | Refusal>;
  callback(owner: Owner, id: string): Promise<FoundCallback | Refusal>;
  answerCallback(owner: Owner, reply: CallbackReply): Promise<FoundCallback | Refusal>;
};
