/**
 * BATCHES → agents: hands the inputs of batches over, and sees their ends.
 *
 * K1  The rows are the record. A message is a wake-up and holds ids alone; each may come again.
 * K2  An input is handed over under its own key: what was accepted before is met, not made again.
 * K3  Whoever asked is judged anew at each chunk. One that may no longer ends the batch.
 * K4  A chunk that met a limit waits as long as the limit says. It is never given up.
 * K5  A cancel reaches what was handed over while it was written: the hand-over looks again after.
 */
import { z } from "zod";
import type { BatchInput, Outcome } from "../../core/batches/contract.ts";
import { itemKey } from "../../core/batches/key.ts";
import { cancelBatch, findBatch, openBatches, settleBatch } from "../../core/batches/store.ts";
import {
  type BatchMessage,
  chunkToHandOver,
  dueChunks,
  putOutcomes,
} from "../../core/batches/store-chunks.ts";
import { type PlatformScope, type TenantScope, tenantScope } from "../../core/db/scope.ts";
import type { LiveAgent } from "../../core/deployments/contract.ts";
import { findLiveAgent } from "../../core/deployments/store-live.ts";
import { isId, newId } from "../../core/ids.ts";
import { Problem } from "../../core/problem.ts";
import { listObjects } from "../../core/runtime-objects/store.ts";
import { getOwnTenant } from "../../core/tenants/store.ts";
import type { Call, Owner } from "../../durable-objects/agent-runtime/contract.ts";
import { openInputs } from "../api/batch-results.ts";
import { runtimeOf } from "../api/runtime.ts";
import { permits } from "../edge/permits.ts";
import { sealerOf } from "../edge/sealing.ts";
import { type Services, servicesOf } from "../edge/services.ts";
import type { Principal } from "../../core/principals/contract.ts";
import { ownerOf } from "../serve/homes.ts";
import { madeFor } from "../serve/made-for.ts";
import { type Batch, type Message, putOff } from "./batch.ts";
import { standingPrincipal } from "./standing.ts";

const Wanted = z.object({
  tenantId: z.string().refine((id) => isId("tenant", id)),
  batchId: z.string(),
  first: z.number().int().optional(),
});

/** Longest wait between two tries of one message; then cron sends another. */
const LONGEST_WAIT_MS = 60_000;
/** Tries of one message; behind them stands the row, which cron looks at. */
const TRIES = 20;
/** Objects of one agent that a cancel visits. */
const OBJECTS = 100;

export async function consumeBatches(batch: Batch, env: Env): Promise<void> {
  await Promise.all(batch.messages.map((message) => consume(message, env)));
}

async function consume(message: Message, env: Env): Promise<void> {
  const wanted = Wanted.safeParse(message.body);
  if (!wanted.success) return message.ack(); // not ours
  try {
    const waitMs = await carry(env, wanted.data);
    if (waitMs === undefined || message.attempts >= TRIES) message.ack();
    else message.retry({ delaySeconds: Math.ceil(Math.min(waitMs, LONGEST_WAIT_MS) / 1000) });
  } catch (error) {
    putOff(message, error);
  }
}

/** @returns  after how long it is to be asked again; undefined when it is done. */
async function carry(
  env: Env,
  { tenantId, batchId, first }: z.infer<typeof Wanted>,
): Promise<number | undefined> {
  const services = servicesOf(env);
  const scope = tenantScope(services.platform, tenantId);
  try {
    if (first === undefined) return await seeTo(env, scope, batchId);
    return await handOver(env, services, scope, batchId, first);
  } catch (error) {
    if (error instanceof Problem && error.code === "not_found") return undefined; // gone meanwhile
    if (error instanceof Problem) return error.data.retryAfterMs ?? 1000; // K4
    throw error;
  }
}

/** A batch by itself: a cancel is carried out, an end written down. */
async function seeTo(env: Env, scope: TenantScope, id: string): Promise<number | undefined> {
  const { status, agentId, speaker } = await findBatch(scope, id);
  if (status === "cancelling") await cancelEverywhere(env, scope, { id, agentId, speaker });
  await settleBatch(scope, id, Date.now());
  return undefined;
}

type Cancelled = { readonly id: string; readonly agentId: string; readonly speaker: string };

async function cancelEverywhere(
  env: Env,
  scope: TenantScope,
  { id, agentId, speaker }: Cancelled,
): Promise<void> {
  for (const { tag: _, ...place } of await listObjects(scope, { agentId }, OBJECTS)) {
    const owner = { tenantId: scope.tenantId, ...place };
    for (;;) {
      const { left } = Problem.unwrap(await runtimeOf(env, owner).cancelBatch(owner, speaker, id));
      if (!left) break;
    }
  }
}

async function handOver(
  env: Env,
  services: Services,
  scope: TenantScope,
  batchId: string,
  first: number,
): Promise<number | undefined> {
  const found = await chunkToHandOver(scope, batchId, first);
  if (found === undefined) return undefined;
  const { batch, chunk } = found;
  const nowMs = Date.now();
  const tenant = await getOwnTenant(scope);
  if (tenant.status === "suspended") return LONGEST_WAIT_MS;
  if (tenant.status === "erasing") return undefined;
  const asked = { services, scope, tenant, nowMs };
  const principal = await standingPrincipal(asked, batch.principalId, "agents:invoke"); // K3
  const live = await findLiveAgent(scope, batch.agentId, batch.environment);
  if (live === undefined || principal === undefined || !permits(principal, live)) {
    const why = { code: "forbidden", detail: "whoever asked for it may no longer" };
    await cancelBatch(scope, batchId, nowMs, why);
    return seeTo(env, scope, batchId);
  }
  const inputs = openInputs(await sealerOf(services, scope, nowMs), scope, chunk);
  const calls = inputs.map((input, i) => callOf(batch, live, principal, input, chunk.first + i));
  const given = await handTo(env, scope.tenantId, live, calls, chunk.outcomes ?? []);
  const left = given.outcomes.includes(null);
  const dueAtMs = left ? nowMs + Math.max(given.retryAfterMs, 30_000) : null;
  await putOutcomes(scope, chunk, given.outcomes, dueAtMs);
  const { status } = await findBatch(scope, batchId);
  if (status === "cancelling") return seeTo(env, scope, batchId); // K5
  return left ? given.retryAfterMs : undefined;
}

type Row = Awaited<ReturnType<typeof findBatch>>;

/** Null for an input that is gone. */
function callOf(
  { id: batchId, speaker }: Row,
  { generation }: LiveAgent,
  principal: Principal,
  input: BatchInput | null,
  item: number,
): Omit<Call, "owner"> | null {
  if (input === null) return null;
  const key = itemKey(batchId, item);
  return {
    generation,
    principal: speaker,
    idempotencyKey: key,
    fingerprint: key, // an input never changes: its place says what it is
    input: JSON.stringify(input.input),
    requestId: newId("request", Date.now()),
    deltas: false,
    batch: batchId,
    ...(input.session_id === undefined ? {} : { sessionId: input.session_id }),
    ...madeFor(principal, input.metadata),
    ...(input.max_cost_micros === undefined ? {} : { maxCostMicros: input.max_cost_micros }),
  };
}

type Given = { readonly outcomes: readonly Outcome[]; readonly retryAfterMs: number };

/** Calls to their homes, side by side; those with an outcome are left as they are. */
async function handTo(
  env: Env,
  tenantId: string,
  live: LiveAgent,
  calls: readonly (Omit<Call, "owner"> | null)[],
  known: readonly Outcome[],
): Promise<Given> {
  const outcomes: Outcome[] = calls.map((call, i) => {
    if (call === null) return { code: "content_erased", detail: "the input is gone" };
    return known[i] ?? null;
  });
  const homes = new Map<number, { owner: Owner; items: { i: number; call: Call }[] }>();
  for (const [i, call] of calls.entries()) {
    if (call === null || outcomes[i] !== null) continue;
    const owner = await ownerOf(env, tenantId, live, call);
    const home = homes.get(owner.replica) ?? { owner, items: [] };
    homes.set(owner.replica, home);
    home.items.push({ i, call: { ...call, owner } });
  }
  const waits = await Promise.all(
    [...homes.values()].map(async ({ owner, items }) => {
      const all = items.map(({ call }) => call);
      const answer = await runtimeOf(env, owner).handOver(owner, all);
      if (!answer.ok) return answer.problem.retryAfterMs ?? 1000;
      items.forEach(({ i }, at) => {
        outcomes[i] = answer.outcomes[at] ?? null;
      });
      return answer.retryAfterMs;
    }),
  );
  return { outcomes, retryAfterMs: Math.max(1, ...waits) };
}

/** Send these wake-ups; what a queue loses, cron sends again from the rows. */
export async function wakeBatches(
  queue: Pick<Queue, "sendBatch">,
  messages: readonly BatchMessage[],
): Promise<void> {
  for (let at = 0; at < messages.length; at += 100) {
    await queue.sendBatch(messages.slice(at, at + 100).map((body) => ({ body })));
  }
}

/** Chunks that are due and batches that are open, as cron finds them. */
export async function resendBatches(
  platform: PlatformScope,
  queue: Pick<Queue, "sendBatch">,
  nowMs: number,
): Promise<void> {
  await wakeBatches(queue, await dueChunks(platform, nowMs, 1000));
  await wakeBatches(queue, await openBatches(platform, nowMs - 30_000, nowMs, 1000));
}
