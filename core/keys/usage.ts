import { rfc3339 } from "../clock.ts";
import { usd } from "../invocations/contract.ts";
import type { Credits } from "../limits/contract.ts";
import type { KeyUsage, KeyUsageDay } from "./contract.ts";
import type { KeyUse } from "./use.ts";

/** What the ledger owes to the key on one day. */
type Owed = {
  readonly day: string;
  readonly invocations: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costMicros: number;
};

/** Counted uses and what the ledger has, as one account by day. */
export function keyUsage(
  keyId: string,
  uses: readonly KeyUse[],
  owed: readonly Owed[],
  credits: Credits | null,
): KeyUsage {
  const days = [...new Set([...uses, ...owed].map(({ day }) => day))].toSorted();
  const lastMs = Math.max(0, ...uses.map((use) => use.lastMs));
  return {
    key_id: keyId,
    last_used_at: lastMs === 0 ? null : rfc3339(lastMs),
    credits: creditsOnWire(credits),
    days: days.map((date) => dayOf(date, uses, owed)),
  };
}

export function creditsOnWire(credits: Credits | null): KeyUsage["credits"] {
  if (credits === null) return null;
  const { remaining, refillsAtMs } = credits;
  return { remaining, refills_at: refillsAtMs === null ? null : rfc3339(refillsAtMs) };
}

function dayOf(date: string, uses: readonly KeyUse[], owed: readonly Owed[]): KeyUsageDay {
  const of = uses.filter(({ day }) => day === date);
  const cost = owed.find(({ day }) => day === date);
  const costMicros = cost?.costMicros ?? 0;
  return {
    date,
    requests: of.reduce((sum, { count }) => sum + count, 0),
    outcomes: Object.fromEntries(of.map(({ code, count }) => [code, count])),
    invocations: cost?.invocations ?? 0,
    input_tokens: cost?.inputTokens ?? 0,
    output_tokens: cost?.outputTokens ?? 0,
    cost_micros: costMicros,
    cost_usd: usd(costMicros),
  };
}
