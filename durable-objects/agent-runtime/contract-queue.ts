import type { QueueCounts, QueueEntry } from "../../core/queues/contract.ts";
import type { Refusal } from "../../core/problem.ts";
import type { Owner } from "./contract.ts";

export type QueueSlice = {
  readonly ok: true;
  readonly counts: QueueCounts;
  readonly entries: readonly QueueEntry[];
};

/** `left`: there are more to clear. */
export type Cleared = { readonly ok: true; readonly cancelled: number; readonly left: boolean };

/** What an object has accepted and not ended. */
export type QueueRpc = {
  /** Behind the id `after`, oldest first. */
  queued(owner: Owner, after: string, limit: number): Promise<QueueSlice | Refusal>;
  /** Cancel what does not run, a bounded number at a time. */
  clearQueue(owner: Owner): Promise<Cleared | Refusal>;
};
