/**
 * Schedules whose time has come, once a minute.
 *
 * An occurrence's idempotency key is the occurrence: it is started before the schedule is moved on,
 * so dying in between starts it again, which finds the invocation that is there.
 */
import { rfc3339 } from "../../core/clock.ts";
import { type PlatformScope, type TenantScope, tenantScope } from "../../core/db/scope.ts";
import type { NewFiring } from "../../core/firings/contract.ts";
import { Problem, type ProblemCode } from "../../core/problem.ts";
import { dueOf } from "../../core/schedules/due.ts";
import { advanceSchedule, dueSchedules, type ScheduleRow } from "../../core/schedules/store.ts";
import { ON_TIME_MS } from "../../core/schedules/contract.ts";
import { logFault } from "./batch.ts";
import { start } from "./starts.ts";

/** Schedules dealt with in one minute, and side by side. */
const MOST = 1000;
const WAVE = 20;

/** The agent may take it a moment later: the occurrence is tried again while it is on time. */
const PASSING: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  "rate_limited",
  "overloaded",
  "not_deployed",
]);

/** Returns how many schedules were due. */
export async function fireDueSchedules(
  platform: PlatformScope,
  env: Env,
  nowMs: number,
): Promise<number> {
  const due = await dueSchedules(platform, nowMs, MOST);
  for (let at = 0; at < due.length; at += WAVE) {
    await Promise.all(
      due.slice(at, at + WAVE).map((row) =>
        // One that fails must not keep the others; it is due again in a minute.
        fire(env, tenantScope(platform, row.tenantId), row, nowMs).catch((error: unknown) =>
          logFault("schedule", error),
        ),
      ),
    );
  }
  return due.length;
}

async function fire(env: Env, scope: TenantScope, row: ScheduleRow, nowMs: number): Promise<void> {
  const firstMs = row.nextMs ?? nowMs;
  const { fire: occurrences, skipped, nextMs } = dueOf(row, firstMs, nowMs);
  const firings: NewFiring[] = [];
  const none = { sourceId: row.id, invocationId: null };
  if (skipped !== undefined) {
    const occurrence = rfc3339(skipped);
    firings.push({ ...none, occurrence, outcome: "skipped", code: "missed" });
  }
  for (const [i, atMs] of occurrences.entries()) {
    const occurrence = rfc3339(atMs);
    const outcome = await fireOne(env, scope, row, occurrence, nowMs);
    if (PASSING.has(outcome.refused) && nowMs - atMs <= ON_TIME_MS) {
      // It, and what comes behind it, has another try in a minute.
      const before = occurrences[i - 1] ?? row.lastMs ?? atMs;
      return advanceSchedule(scope, row, { firings, nextMs: atMs, lastMs: before }, nowMs);
    }
    firings.push({ ...none, ...outcome.firing, occurrence });
  }
  const lastMs = occurrences.at(-1) ?? skipped ?? firstMs;
  await advanceSchedule(scope, row, { firings, nextMs: nextMs ?? null, lastMs }, nowMs);
}

type Outcome = {
  readonly firing: Pick<NewFiring, "outcome" | "code" | "invocationId">;
  readonly refused: ProblemCode;
};

async function fireOne(
  env: Env,
  scope: TenantScope,
  row: ScheduleRow,
  occurrence: string,
  nowMs: number,
): Promise<Outcome> {
  try {
    const key = `${row.id}/${occurrence}`;
    const invocationId = await startSchedule(env, scope, row, key, nowMs);
    return { firing: { outcome: "started", code: null, invocationId }, refused: "conflict" };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { code } = error;
    return { firing: { outcome: "refused", code, invocationId: null }, refused: code };
  }
}

/** One run of a schedule, by its time or by hand. */
export function startSchedule(
  env: Env,
  scope: TenantScope,
  row: ScheduleRow,
  key: string,
  nowMs: number,
): Promise<string> {
  const body = {
    input: row.input,
    ...(row.sessionId === null ? {} : { session_id: row.sessionId }),
    ...(row.maxCostMicros === null ? {} : { max_cost_micros: row.maxCostMicros }),
  };
  const { id: sourceId, agentId, environment } = row;
  return start(env, scope, { sourceId, agentId, environment, key, body }, nowMs);
}
