/**
 * Ends of invocations that start others, found where ends are told: by the ledger's consumer, before
 * it acknowledges them. Told again, an end finds what it started: its id is the key.
 */
import { type PlatformScope, type TenantScope, tenantScope } from "../../core/db/scope.ts";
import type { NewFiring } from "../../core/firings/contract.ts";
import {
  firingInsert,
  settleFiring,
  type WaitingFiring,
  waitingFirings,
} from "../../core/firings/store.ts";
import { tagOf } from "../../core/ids.ts";
import type { Invocation } from "../../core/invocations/contract.ts";
import { Problem, type ProblemCode } from "../../core/problem.ts";
import { findObjectByTag } from "../../core/runtime-objects/store.ts";
import { DEPTH_MOST, type Trigger } from "../../core/triggers/contract.ts";
import { findTriggers, triggersOn } from "../../core/triggers/store.ts";
import { filled } from "../../core/triggers/template.ts";
import type { LedgerEntry, Owner } from "../../durable-objects/agent-runtime/contract.ts";
import { runtimeOf } from "../api/runtime.ts";
import { logFault } from "./batch.ts";
import { start } from "./starts.ts";

/** An end, and the object it happened in. */
export type End = { readonly owner: Owner; readonly entry: LedgerEntry };

/** @throws  what is no refusal: then nothing of it may be acknowledged, and it comes again. */
export async function fireTriggers(
  env: Env,
  scope: TenantScope,
  ends: readonly End[],
  nowMs: number,
): Promise<void> {
  const agents = [...new Set(ends.map(({ owner }) => owner.agentId))];
  const triggers = await triggersOn(scope, agents);
  if (triggers.length === 0) return;
  const firings: NewFiring[] = [];
  for (const { owner, entry } of ends) {
    const waiting = triggers.filter((it) => waitsFor(it, owner, entry));
    if (waiting.length === 0) continue;
    const of = await read(env, owner, entry.invocation.id);
    if (of === undefined) continue;
    for (const one of waiting) firings.push(await fireOne(env, scope, one, of, nowMs));
  }
  if (firings.length > 0) await firingInsert(scope, firings, nowMs);
}

function waitsFor(
  { agent_id: agentId, environment, statuses, created_at: since }: Trigger,
  owner: Owner,
  { invocation }: LedgerEntry,
): boolean {
  if (agentId !== owner.agentId || environment !== owner.environment) return false;
  // What ended before it was there is none of its business.
  if ((invocation.completed_at ?? "") < since) return false;
  return statuses.some((status) => status === invocation.status);
}

async function fireOne(
  env: Env,
  scope: TenantScope,
  { id: sourceId, target_id: agentId, target_environment: environment, ...rule }: Trigger,
  of: Invocation,
  nowMs: number,
): Promise<NewFiring> {
  const firing = { sourceId, occurrence: of.id, invocationId: null } as const;
  const lineage = [...of.lineage, of.id];
  if (lineage.length > DEPTH_MOST) return { ...firing, outcome: "refused", code: "too_deep" };
  const text = filled(rule.input, of);
  if (text.trim() === "") return { ...firing, outcome: "skipped", code: "nothing_to_say" };
  const cost = rule.max_cost_micros;
  const body = { input: text, ...(cost === null ? {} : { max_cost_micros: cost }) };
  try {
    const wanted = { sourceId, agentId, environment, key: of.id, body, lineage };
    const invocationId = await start(env, scope, wanted, nowMs);
    return { ...firing, outcome: "started", code: null, invocationId };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    // What may be taken a moment later must not keep the ledger waiting: the sweep tries again.
    const outcome = PASSING.has(error.code) ? "waiting" : "refused";
    return { ...firing, outcome, code: error.code };
  }
}

const PASSING: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  "rate_limited",
  "overloaded",
  "not_deployed",
]);

/** How long what was put off is tried again, and how much of it in one minute. */
const TRIED_MS = 3_600_000;
const RETRIES = 200;

/** Once a minute: what targets would not take when it came. Returns how many there were. */
export async function retryTriggers(
  platform: PlatformScope,
  env: Env,
  nowMs: number,
): Promise<number> {
  const waiting = await waitingFirings(platform, nowMs - 2 * TRIED_MS, RETRIES);
  for (const one of waiting) {
    // One that fails must not keep the others; it is tried again in a minute.
    await retry(env, tenantScope(platform, one.tenantId), one, nowMs).catch((error: unknown) =>
      logFault("trigger", error),
    );
  }
  return waiting.length;
}

async function retry(
  env: Env,
  scope: TenantScope,
  { id, sourceId, occurrence, atMs }: WaitingFiring,
  nowMs: number,
): Promise<void> {
  const [trigger] = await findTriggers(scope, [sourceId]);
  const tag = tagOf("invocation", occurrence);
  const place = tag === undefined ? undefined : await findObjectByTag(scope, tag);
  const of = place && (await read(env, { tenantId: scope.tenantId, ...place }, occurrence));
  const gone = { outcome: "refused", code: "not_found", invocationId: null } as const;
  const found = trigger && of ? await fireOne(env, scope, trigger, of, nowMs) : gone;
  if (found.outcome === "waiting" && nowMs - atMs < TRIED_MS) return;
  await settleFiring(
    scope,
    id,
    found.outcome === "waiting" ? { ...found, outcome: "refused" } : found,
  );
}

/** Undefined when its content is gone already. */
async function read(env: Env, owner: Owner, id: string): Promise<Invocation | undefined> {
  const found = await runtimeOf(env, owner).get(owner, id);
  if (!found.ok) return undefined;
  return JSON.parse(await new Response(found.body).text()) as Invocation; // our own object's
}
