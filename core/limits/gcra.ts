/**
 * Rate limit by the generic cell rate algorithm: one number per subject.
 *
 * `limit` requests may come at once, after that one each `60 s / limit`. Pure: the caller owns the
 * clock and the row. A refused request changes nothing, so a hammering caller never pushes its own
 * recovery away.
 *
 * @param tatUs      Stored theoretical arrival time, epoch µs; 0 for a subject never seen.
 * @param perMinute  Whole requests per minute; 0 refuses all.
 * @param nowMs      Epoch ms. Earlier than before (a clock step) counts as no time passed.
 * @returns          The value to store, and 0 or the whole ms until the next request can pass;
 *                   undefined when waiting never helps.
 * @source           ITU-T I.371 (GCRA, virtual scheduling).
 */
export function gcra(
  tatUs: number,
  perMinute: number,
  nowMs: number,
): { readonly tatUs: number; readonly retryAfterMs: number | undefined } {
  if (perMinute === 0) return { tatUs, retryAfterMs: undefined };
  const intervalUs = Math.floor(60_000_000 / perMinute);
  const toleranceUs = intervalUs * (perMinute - 1);
  const nowUs = nowMs * 1000;
  const earliestUs = tatUs - toleranceUs;
  if (nowUs < earliestUs) {
    return { tatUs, retryAfterMs: Math.ceil((earliestUs - nowUs) / 1000) };
  }
  return { tatUs: Math.max(nowUs, tatUs) + intervalUs, retryAfterMs: 0 };
}
