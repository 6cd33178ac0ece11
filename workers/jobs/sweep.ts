/**
 * Once a minute: what lost messages and lost alarms left behind, and what has had its day.
 *
 * Queues may lose or expire what they were given, and an alarm can be used up while its object is
 * being reset; the rows are the record (GUARANTEES §3 rows 10 and 19).
 */
import { deleteExpiredConfirmations } from "../../core/confirmations/store.ts";
import { deleteExpiredConsoleSessions } from "../../core/console-sessions/store.ts";
import { sweepContent } from "../../core/content/store-sweep.ts";
import { dueOutbox } from "../../core/db/outbox.ts";
import type { PlatformScope } from "../../core/db/scope.ts";
import { deleteOldFirings } from "../../core/firings/store.ts";
import { deleteExpiredAnswers } from "../../core/idempotency/store.ts";
import { deleteExpiredRefreshTokens } from "../../core/refresh/store.ts";
import { listObjectsByTag } from "../../core/runtime-objects/store.ts";
import { dropEndedVersions } from "../../core/secrets/store-rotate.ts";
import { deleteExpiredSignIns } from "../../core/sso/store-sign-in.ts";
import { deleteExpiredTickets } from "../../core/tickets/store.ts";
import type { AgentRuntimeRpc, Owner } from "../../durable-objects/agent-runtime/contract.ts";
import { gateOf } from "../api/gate.ts";
import { runtimeOf } from "../api/runtime.ts";
import { servicesOf } from "../edge/services.ts";
import { logFault } from "./batch.ts";
import { resendBatches } from "./batches.ts";
import { chainTails } from "./chain.ts";
import { eraseDeletedAgents } from "./erase-agent.ts";
import { carryErasures } from "./erasures.ts";
import { endStalled } from "./import.ts";
import { lifeJob } from "./life.ts";
import { sendDueMail } from "./mail.ts";
import { reachStops } from "./stops.ts";
import { AT_START } from "./cron.ts";
import { checkDueHostnames } from "./hostnames.ts";
import { carryRedrives } from "./redrives.ts";
import { resealSome } from "./reseal.ts";
import { fireDueSchedules } from "./schedules.ts";
import { retryTriggers } from "./triggers.ts";

/** Messages at once; `sendBatch` takes no more. */
const BATCH = 100;
/** Objects knocked at in one minute, at most. */
const KNOCKS = 500;
/** Tenants and agents that end, and transfers given up, taken up in one minute. */
const ENDINGS = 20;
/** First characters of tags: each minute one of them has its turn, so each object every 32. */
const TAG_STARTS = "0123456789abcdefghjkmnpqrstvwxyz";

export async function sweep({ cron }: Pick<ScheduledController, "cron">, env: Env): Promise<void> {
  const services = servicesOf(env);
  const { platform } = services;
  const life = lifeJob(env);
  const nowMs = Date.now();
  // First what somebody waits for. Each by itself: a fault of one must not keep the others.
  await each([
    () => resendDeployments(platform, env.DEPLOYMENTS, nowMs, cron === AT_START),
    () => sendDueMail(services),
    () => fireDueSchedules(platform, env, nowMs),
    () => retryTriggers(platform, env, nowMs),
    () => resendBatches(platform, env.BATCHES, nowMs),
    () => carryRedrives({ env, services, now: Date.now }),
    () => knock(platform, (owner) => runtimeOf(env, owner), nowMs),
    () => checkDueHostnames(services, nowMs),
    () => chainTails(platform, (tenantId) => gateOf(env, tenantId)),
    () => carryErasures(life, ENDINGS),
    () => eraseDeletedAgents(life, nowMs, ENDINGS),
    () => endStalled(life, ENDINGS),
    () => deleteExpiredConsoleSessions(platform, nowMs),
    () => deleteExpiredConfirmations(platform, nowMs),
    () => deleteExpiredRefreshTokens(platform, nowMs),
    () => deleteExpiredAnswers(platform, nowMs),
    () => deleteExpiredTickets(platform, nowMs),
    () => deleteOldFirings(platform, nowMs),
    () => deleteExpiredSignIns(platform, nowMs),
    () => reachStops(env, platform, nowMs),
    () => dropEndedVersions(platform, nowMs),
    () => sweepContent(platform, nowMs, ENDINGS),
    () => resealSome(platform, services.config, nowMs),
  ]);
}

/**
 * Send every deployment message again that is due and not acknowledged. Returns how many.
 *
 * @param all  Those that are not due as well: what they were sent to is gone.
 */
export async function resendDeployments(
  platform: PlatformScope,
  queue: Pick<Queue, "sendBatch">,
  nowMs: number,
  all = false,
): Promise<number> {
  let sent = 0;
  for (;;) {
    const due = await dueOutbox(platform, nowMs, BATCH, all);
    if (due.length > 0) await queue.sendBatch(due.map((body) => ({ body })));
    sent += due.length;
    if (due.length < BATCH) return sent;
  }
}

/**
 * Wake a share of all objects: an object that is asked anything takes up what its last incarnation
 * left, sets its alarm, tells the ledger what it is owed, and learns what was changed of what is
 * live: an idle agent keeps content no longer than its tenant wants. The listing holds finished
 * invocations only, so it cannot tell which of them have work.
 */
export async function knock(
  platform: PlatformScope,
  at: (owner: Owner) => Pick<AgentRuntimeRpc, "visit">,
  nowMs: number,
): Promise<number> {
  const turn = Math.floor(nowMs / 60_000) % TAG_STARTS.length;
  const [start = "", end] = TAG_STARTS.slice(turn);
  const owners = await listObjectsByTag(platform, { start, end }, KNOCKS);
  await each(
    owners.map(
      ({ generation, ...owner }) =>
        () =>
          at(owner).visit(owner, generation ?? 0),
    ),
  );
  return owners.length;
}

async function each(jobs: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const job of jobs) {
    try {
      await job();
    } catch (error) {
      logFault("sweep", error);
    }
  }
}
