/**
 * Dead letters on their way back to their agents: one that somebody asked for, and bulk re-drives
 * minute by minute (core/dead-letters/store-redrives.ts has their invariants).
 *
 * A letter is handed on under a key of its own, so however often that is tried one invocation goes
 * on with it. Who asked for a bulk re-drive is looked at again each minute: a credential that ended
 * ends what goes on in its name.
 */
import { type TenantScope, tenantScope } from "../../core/db/scope.ts";
import { type Handed, settleLetter, takeLetter } from "../../core/dead-letters/store.ts";
import {
  type RedriveRow,
  cancelRedrive,
  countLetters,
  nextLetters,
  takeRedrives,
  tellRedrive,
} from "../../core/dead-letters/store-redrives.ts";
import { findLiveAgent } from "../../core/deployments/store-live.ts";
import { newId, tagOf } from "../../core/ids.ts";
import { type Principal, speakerId } from "../../core/principals/contract.ts";
import { Problem, type ProblemCode } from "../../core/problem.ts";
import type { ResumeBody } from "../../core/replays/contract.ts";
import { findObjectByTag } from "../../core/runtime-objects/store.ts";
import { getOwnTenant } from "../../core/tenants/store.ts";
import type { Answered } from "../../durable-objects/agent-runtime/contract.ts";
import { runtimeOf } from "../api/runtime.ts";
import { fingerprintOf } from "../edge/idempotency.ts";
import type { Services } from "../edge/services.ts";
import { logFault } from "./batch.ts";
import { standingPrincipal } from "./standing.ts";

export type RedriveJob = {
  readonly env: Env;
  readonly services: Services;
  readonly now: () => number;
};

/** Letters handed on side by side, and re-drives taken up in one minute. */
const WAVE = 10;
const MOST = 50;

/** Work on what has letters left for this minute. Returns how many re-drives that were. */
export async function carryRedrives(job: RedriveJob): Promise<number> {
  const taken = await takeRedrives(job.services.platform, job.now(), MOST);
  for (const row of taken) {
    try {
      await carry(job, tenantScope(job.services.platform, row.tenantId), row);
    } catch (error) {
      logFault("a re-drive will be taken up again", error);
    }
  }
  return taken.length;
}

async function carry(job: RedriveJob, scope: TenantScope, taken: RedriveRow): Promise<void> {
  const tenant = await getOwnTenant(scope);
  if (tenant.status !== "active") return;
  const asked = { services: job.services, scope, tenant, nowMs: job.now() };
  const principal = await standingPrincipal(asked, taken.principal, "invocations:write");
  if (principal === undefined) {
    await cancelRedrive(scope, taken.id, job.now());
    return;
  }
  let row: RedriveRow | undefined = taken;
  while (row?.status === "running") row = await wave(job, scope, principal, row);
}

/** The next letters. Undefined when there is nothing more to do now. */
async function wave(
  job: RedriveJob,
  scope: TenantScope,
  principal: Principal,
  row: RedriveRow,
): Promise<RedriveRow | undefined> {
  const nowMs = job.now();
  const ids = await nextLetters(scope, row, nowMs, WAVE);
  if (ids === "later" || ids.length === 0) {
    const end = ids === "later" ? ids : "over";
    await tellRedrive(scope, row, { redriven: 0, refused: 0, end }, nowMs);
    return undefined;
  }
  const counted = await countLetters(scope, row, ids.length, nowMs);
  if (counted === undefined) return undefined;
  const { version, fresh } = counted;
  const wish = { fresh: fresh === 1, ...(version === null ? {} : { version }) };
  const outcomes = await Promise.all(ids.map((id) => tried(job, scope, principal, id, wish)));
  const redriven = outcomes.filter((it) => it === "made").length;
  const patient = nowMs - row.createdAtMs < PATIENCE_MS;
  // That one, and what was refused behind it, is taken again.
  const first = patient ? outcomes.indexOf("later") : -1;
  const settled = first === -1 ? outcomes : outcomes.slice(0, first);
  const refused = settled.filter((it) => it !== "made").length;
  const told = { redriven, refused, position: ids[settled.length - 1] };
  if (first === -1) return tellRedrive(scope, counted, told, nowMs);
  await tellRedrive(scope, counted, { ...told, end: "later" }, nowMs);
  return undefined;
}

/** The agent may take it a moment later: a re-drive waits for that. */
const PASSING: ReadonlySet<ProblemCode> = new Set<ProblemCode>(["rate_limited", "overloaded"]);
/** For so long; then what it would not take is refused, and keeps no others waiting. */
const PATIENCE_MS = 86_400_000;

async function tried(
  job: RedriveJob,
  scope: TenantScope,
  principal: Principal,
  id: string,
  wish: ResumeBody,
): Promise<"made" | "refused" | "later"> {
  try {
    await redriveLetter(job, scope, principal, id, wish);
    return "made";
  } catch (error) {
    if (!(error instanceof Problem)) logFault("a dead letter", error);
    return error instanceof Problem && PASSING.has(error.code) ? "later" : "refused";
  }
}

/**
 * Hand a letter to its agent, with the input it was given since, if it was.
 *
 * @throws Problem  `conflict` when somebody else has; what a resumed run is refused for, which is
 *                  kept with the letter
 */
export async function redriveLetter(
  { env, now }: RedriveJob,
  scope: TenantScope,
  principal: Principal,
  id: string,
  wish: ResumeBody,
): Promise<Answered> {
  const nowMs = now();
  await takeLetter(scope, id, nowMs);
  try {
    const made = await resume(env, scope, principal, id, wish, nowMs);
    await settleLetter(scope, id, { ok: true, to: made.id });
    return made;
  } catch (error) {
    await settleLetter(scope, id, refusedWith(error));
    throw error;
  }
}

async function resume(
  env: Env,
  scope: TenantScope,
  principal: Principal,
  id: string,
  wish: ResumeBody,
  nowMs: number,
): Promise<Answered> {
  const tag = tagOf("invocation", id);
  const place = tag === undefined ? undefined : await findObjectByTag(scope, tag);
  const live = place && (await findLiveAgent(scope, place.agentId, place.environment));
  if (place === undefined || live === undefined) {
    throw new Problem("not_found", "the agent is gone");
  }
  const owner = { tenantId: scope.tenantId, ...place };
  const what = `redrive ${id}`;
  const call = {
    owner,
    generation: live.generation,
    principal: speakerId(principal),
    idempotencyKey: `dead-letter/${id}`,
    // The key says all: asked for otherwise the next time, it is the same work.
    fingerprint: fingerprintOf("POST", what, null),
    requestId: newId("request", nowMs),
    deltas: true,
  };
  return Problem.unwrap(
    await runtimeOf(env, owner).resume(owner, id, { ...wish, amended: true }, call),
  );
}

function refusedWith(error: unknown): Handed {
  if (!(error instanceof Problem)) {
    return { ok: false, code: "internal", detail: "a defect on our side" };
  }
  return { ok: false, code: error.code, detail: error.data.detail };
}
