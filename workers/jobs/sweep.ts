/**
 * Once a minute: what a lost message left behind, and what has had its day.
 *
 * Queues may lose or expire what they were given; the outbox row is the record and stays until the
 * consumer has acknowledged it (GUARANTEES §3 row 19).
 */
import { deleteExpiredConsoleSessions } from "../../core/console-sessions/store.ts";
import { dueOutbox } from "../../core/db/outbox.ts";
import type { PlatformScope } from "../../core/db/scope.ts";
import { deleteExpiredAnswers } from "../../core/idempotency/store.ts";
import { deleteExpiredTickets } from "../../core/tickets/store.ts";
import { servicesOf } from "../edge/services.ts";

/** Messages at once; `sendBatch` takes no more. */
const BATCH = 100;

export async function sweep(_event: unknown, env: Env): Promise<void> {
  const { platform } = servicesOf(env);
  const nowMs = Date.now();
  // First what somebody waits for; a failure of the rest must not keep it from being sent.
  await resendDeployments(platform, env.DEPLOYMENTS, nowMs);
  await deleteExpiredConsoleSessions(platform, nowMs);
  await deleteExpiredAnswers(platform, nowMs);
  await deleteExpiredTickets(platform, nowMs);
}

/** Send every deployment message again that is due and not acknowledged. Returns how many. */
export async function resendDeployments(
  platform: PlatformScope,
  queue: Pick<Queue, "sendBatch">,
  nowMs: number,
): Promise<number> {
  let sent = 0;
  for (;;) {
    const due = await dueOutbox(platform, nowMs, BATCH);
    if (due.length > 0) await queue.sendBatch(due.map((body) => ({ body })));
    sent += due.length;
    if (due.length < BATCH) return sent;
  }
}
