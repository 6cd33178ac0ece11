import { rfc3339 } from "../clock.ts";
import type { InvocationStatus } from "../invocations/contract.ts";
import type { BatchCounts, BatchNotice } from "./contract.ts";

/** What the rows of a batch add up to. */
export type Tally = {
  readonly batchId: string;
  readonly ended: readonly { readonly status: InvocationStatus; readonly ended: number }[];
  readonly chunks: readonly {
    readonly dropped: number;
    readonly size: number;
    readonly handed: number;
    readonly refused: number;
  }[];
  /** When the last of them ended; null while none has. */
  readonly lastMs: number | null;
};

export function countsOf(total: number, tally: Tally | undefined): BatchCounts {
  const of = (...statuses: readonly InvocationStatus[]) =>
    (tally?.ended ?? []).reduce(
      (sum, it) => sum + (statuses.includes(it.status) ? it.ended : 0),
      0,
    );
  const chunks = tally?.chunks ?? [];
  const left = (dropped: number) =>
    chunks.reduce((sum, it) => sum + (it.dropped === dropped ? it.size - it.handed : 0), 0);
  const refused = chunks.reduce((sum, it) => sum + it.refused, 0);
  const waiting = left(0);
  const never = left(1);
  const ended = of("succeeded", "failed", "dead", "cancelled");
  return {
    waiting,
    // The ledger may know of an end before the chunk knows of the beginning.
    open: Math.max(0, total - waiting - never - refused - ended),
    succeeded: of("succeeded"),
    failed: of("failed", "dead"),
    cancelled: of("cancelled") + never,
    refused,
  };
}

/** At the pace so far; null before anything is done. */
export function etaOf(beganMs: number, nowMs: number, done: number, total: number): string | null {
  if (done === 0) return null;
  const eachMs = (nowMs - beganMs) / done;
  return rfc3339(Math.ceil(nowMs + eachMs * (total - done)));
}

/** What the agent's own limits will make of so many inputs. Nothing is dropped for it. */
export function noticesOf(
  total: number,
  limits: { readonly requests_per_minute?: number | undefined; readonly queue_depth: number },
): BatchNotice[] {
  const perMinute = limits.requests_per_minute;
  if (perMinute === undefined || perMinute === 0 || total <= perMinute) return [];
  const minutes = Math.ceil(total / perMinute);
  const detail = `the agent admits ${perMinute} requests a minute: this takes at least ${minutes} minutes`;
  return [{ code: "rate_limited", detail }];
}
