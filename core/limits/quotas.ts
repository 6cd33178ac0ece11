import { Problem, type Quota } from "../problem.ts";
import type { CreditBudget, Credits, Meter } from "./contract.ts";

/** What of a meter's limits is left. */
export type Left = {
  /** For each rate of the meter, what would be admitted at once; empty where it was not asked. */
  readonly rates: readonly number[];
  readonly credits: Credits | null;
};

/** Why a request was not admitted. */
export type Exhausted = Left & {
  readonly reason: "rate" | "credits";
  /** Null when waiting does not help. */
  readonly retryAfterMs: number | null;
};

/** 429 for a rate, 402 for credits, with what is left and when there is more. */
export function exhausted(meter: Meter, refusal: Exhausted, nowMs: number): Problem {
  const { reason, retryAfterMs, credits } = refusal;
  const options = {
    quotas: quotasOf(meter, refusal, nowMs),
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
  };
  if (reason === "rate") return new Problem("rate_limited", "the key's limit is reached", options);
  const left = `the key has ${credits?.remaining ?? 0} credits left`;
  const refills = credits?.refillsAtMs ?? null;
  const more = refills === null ? "none are refilled" : "more come with the next refill";
  return new Problem("budget_exceeded", `${left}; ${more}`, options);
}

export function quotasOf({ rates, credits }: Meter, left: Left, nowMs: number): readonly Quota[] {
  const quotas: Quota[] = rates.flatMap(({ limit, periodMs }, index) => {
    const remaining = left.rates[index];
    if (remaining === undefined) return [];
    const resetMs = Math.ceil(((limit - remaining) * periodMs) / limit);
    return [{ name: `key-${periodMs / 1000}s`, limit, periodMs, remaining, resetMs }];
  });
  if (credits === null || left.credits === null) return quotas;
  return [...quotas, creditQuota(credits, left.credits, nowMs)];
}

function creditQuota(
  { units, refill }: CreditBudget,
  { remaining, refillsAtMs }: Credits,
  nowMs: number,
): Quota {
  const resetMs = refillsAtMs === null ? null : Math.max(0, refillsAtMs - nowMs);
  const limit = refill === null ? units : refill.amount;
  return { name: "credits", limit, periodMs: refill?.intervalMs ?? null, remaining, resetMs };
}
