import { lastAttemptMs } from "../../core/runs/retry.ts";
import { RunFailure, type Suspended } from "./failure.ts";
import type { Claim, Kernel } from "./kernel.ts";

/** Until when the policy lets an attempt of this run begin. */
export function lastMs({ sql }: Pick<Kernel, "sql">, claim: Claim): number {
  const acceptedMs =
    claim.row?.created_ms ??
    sql.one<{ created_ms: number }>("SELECT created_ms FROM invocation WHERE id = ?", claim.id)
      ?.created_ms ??
    0;
  return lastAttemptMs(claim.installed.spec.retry, acceptedMs);
}

/**
 * What a run throws that cannot go on before an upstream is back: it parks, or fails when the time
 * its policy gives it is over.
 *
 * @param probed  Its own call was the probe that failed.
 */
export function awaiting(
  kernel: Kernel,
  claim: Claim,
  upstream: string,
  probed: boolean,
): Suspended | RunFailure {
  const untilMs = lastMs(kernel, claim);
  if (kernel.now() < untilMs) return kernel.breakers.park(upstream, claim.id, probed, untilMs);
  const detail = `${upstream} was not back in time`;
  return new RunFailure({ code: "upstream_failed", detail }, true);
}
