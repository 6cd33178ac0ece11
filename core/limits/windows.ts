import type { BudgetPeriod, LimitPer } from "./contract.ts";

/** A period of a limit or a budget; `endsMs` is null for one that never ends. */
export type Window = { readonly sinceMs: number; readonly endsMs: number | null };

const LENGTH_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

/**
 * The period that `nowMs` falls in. Minutes, hours, days and months are those of UTC, the same for
 * every object, so that what one leases and another returns is of one period.
 */
export function windowOf(per: LimitPer | BudgetPeriod, nowMs: number): Window {
  if (per === "concurrency" || per === "total" || per === "invocation") return ENDLESS;
  if (per === "month") return monthOf(new Date(nowMs));
  const lengthMs = LENGTH_MS[per];
  const sinceMs = Math.floor(nowMs / lengthMs) * lengthMs;
  return { sinceMs, endsMs: sinceMs + lengthMs };
}

const ENDLESS: Window = { sinceMs: 0, endsMs: null };

function monthOf(now: Date): Window {
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  return { sinceMs: Date.UTC(year, month), endsMs: Date.UTC(year, month + 1) };
}
