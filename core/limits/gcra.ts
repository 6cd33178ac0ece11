/** What one limit admits; the period is a minute and the cost one unless said. */
export type GcraOptions = {
  /** Whole ms, from 1,000; at most `limit` units come in it once the first burst is used. */
  readonly periodMs?: number;
  /** Whole units this request takes. */
  readonly cost?: number;
};

export type GcraVerdict = {
  /** The value to store; unchanged by a refusal. */
  readonly tatUs: number;
  /** 0 when admitted, else whole ms until it can be; undefined when waiting never helps. */
  readonly retryAfterMs: number | undefined;
};

/**
 * Rate limit by the generic cell rate algorithm: one number per subject.
 *
 * `limit` units may come at once, after that one each `period / limit`. Pure: the caller owns the
 * clock and the row. A refused request changes nothing, so a hammering caller never pushes its own
 * recovery away.
 *
 * @param tatUs  Stored theoretical arrival time, epoch µs; 0 for a subject never seen. Once it has
 *               passed it says no more than 0 does, so such a row may be dropped.
 * @param limit  Whole units per period, 0 to 1,000,000; 0 refuses all.
 * @param nowMs  Epoch ms. Earlier than before (a clock step) counts as no time passed.
 * @source       ITU-T I.371 (GCRA, virtual scheduling).
 */
export function gcra(
  tatUs: number,
  limit: number,
  nowMs: number,
  { periodMs = 60_000, cost = 1 }: GcraOptions = {},
): GcraVerdict {
  if (cost > limit || limit === 0) return { tatUs, retryAfterMs: undefined };
  const intervalUs = intervalOf(limit, periodMs);
  const nowUs = nowMs * 1000;
  const earliestUs = tatUs - intervalUs * (limit - cost);
  if (nowUs < earliestUs) {
    return { tatUs, retryAfterMs: Math.ceil((earliestUs - nowUs) / 1000) };
  }
  return { tatUs: Math.max(nowUs, tatUs) + intervalUs * cost, retryAfterMs: 0 };
}

/** Whole units that would be admitted at once. */
export function gcraRemaining(
  tatUs: number,
  limit: number,
  nowMs: number,
  periodMs: number,
): number {
  const spentUs = Math.max(0, tatUs - nowMs * 1000);
  return Math.max(0, Math.floor(limit - spentUs / intervalOf(limit, periodMs)));
}

/** Rounded up: the rate is never above what was asked for. */
function intervalOf(limit: number, periodMs: number): number {
  return Math.ceil((periodMs * 1000) / limit);
}
