import type { ProblemData, Refusal } from "../../core/problem.ts";
import type { Call, Owner } from "./contract.ts";

/**
 * What became of each call, in their order: the id of its invocation, why it will never be one, or
 * null for what the object cannot take now.
 */
export type HandedOver = {
  readonly ok: true;
  readonly outcomes: readonly (string | Pick<ProblemData, "code" | "detail"> | null)[];
  /** Until the rest may be tried again. */
  readonly retryAfterMs: number;
};

/** `left`: there may be more of the batch to cancel. */
export type Cancelling = { readonly ok: true; readonly left: boolean };
/** Invocations as a JSON list. */
export type Results = { readonly ok: true; readonly page: string };

/** How an object takes the inputs of a batch and gives their results. */
export type HandoverRpc = {
  /** Accept these in order, as far as there is room within some seconds. */
  handOver(owner: Owner, calls: readonly Call[]): Promise<HandedOver | Refusal>;
  /** Some of what is open of a batch ends as cancelled. */
  cancelBatch(owner: Owner, speaker: string, batch: string): Promise<Cancelling | Refusal>;
  /** Those of these invocations that are here, in the order of `ids`, without their inputs. */
  results(owner: Owner, ids: readonly string[]): Promise<Results | Refusal>;
};
