import type { ForkBody, ReplayBody, ResumeBody } from "../../core/replays/contract.ts";
import type { Refusal } from "../../core/problem.ts";
import type { Answered, Call, Found, Owner } from "./contract.ts";

/** The call that an invocation made from another one is: its input and session are that one's. */
export type BranchCall = Omit<Call, "input" | "sessionId" | "redrivenFrom">;

export type ForkWish = ForkBody & {
  /** Whom it is made for, whoever the first one was: a person's credential names nobody else. */
  readonly madeFor?: string;
};

export type ResumeWish = ResumeBody & {
  /** Of a dead letter: with the input it was given instead of its own. */
  readonly amended?: boolean;
};

/** Another input for an invocation that will be tried again; its own row never changes. */
export type Amendment = {
  /** JSON text of `InvokeBody.input`. */
  readonly input: string;
  /** The one it was read at: 1 before the first. */
  readonly revision: number;
  /** Id of whoever changed it. */
  readonly principal: string;
};

/** What can be done with an invocation that has ended. */
export type ReplaysRpc = {
  /** `body`: a `Replay`. Nothing is sent and nothing written. */
  replay(owner: Owner, invocationId: string, wish: ReplayBody): Promise<Found | Refusal>;
  /** A new invocation with the journal up to a step, and something of it another. */
  fork(
    owner: Owner,
    invocationId: string,
    wish: ForkWish,
    call: BranchCall,
  ): Promise<Answered | Refusal>;
  /** A new invocation that goes on where this one ended without an answer. */
  resume(
    owner: Owner,
    invocationId: string,
    wish: ResumeWish,
    call: BranchCall,
  ): Promise<Answered | Refusal>;
  /** `body`: a `Receipt`, its version's id and hash left to the control plane. */
  receipt(owner: Owner, invocationId: string): Promise<Found | Refusal>;
  /** `body`: a `LetterContent`. */
  letter(owner: Owner, invocationId: string): Promise<Found | Refusal>;
  /** The same, changed. @returns `version_conflict` when it is at another revision */
  amend(owner: Owner, invocationId: string, amendment: Amendment): Promise<Found | Refusal>;
};
