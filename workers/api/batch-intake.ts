import { madeFor } from "../serve/made-for.ts";
import { type BatchInput, MAX_INPUTS } from "../../core/batches/contract.ts";
import { noticesOf } from "../../core/batches/progress.ts";
import {
  chunksOf,
  countWaiting,
  createBatch,
  failuresOf,
  findByRequest,
  getBatch,
} from "../../core/batches/store.ts";
import { listChunks } from "../../core/batches/store-chunks.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import type { LiveAgent } from "../../core/deployments/contract.ts";
import { type Principal, speakerId } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import { getVersion } from "../../core/versions/store.ts";
import type { Arrival } from "../edge/arrival.ts";
import { idempotencyKeyOf } from "../edge/idempotency.ts";
import { refund, take } from "../edge/key-meter.ts";
import { looksAtAgents, permits } from "../edge/permits.ts";
import { sealerOf } from "../edge/sealing.ts";
import { logFault } from "../jobs/batch.ts";
import { wakeBatches } from "../jobs/batches.ts";
import type { Reach } from "./narrowing.ts";
import { demandInputs, openInputs } from "./batch-results.ts";

/** Inputs of a tenant that wait for their agents, all batches together. */
const MOST_WAITING = 100_000;
const CROWDED_MS = 60_000;

/** As much of a request's context as taking a batch in needs. */
export type Intake = Reach & {
  readonly env: Env;
  get(key: "arrival"): Arrival;
};

export type Placing = {
  readonly live: LiveAgent;
  readonly inputs: readonly BatchInput[];
  readonly fingerprint: string;
  readonly redrivenFrom: string | null;
};

/**
 * @throws Problem `forbidden`  naming the first input that the principal's statements do not allow |
 *         `invalid` for one that a person's credential makes for somebody else
 */
export function demandItems(
  principal: Principal,
  live: LiveAgent,
  inputs: readonly BatchInput[],
): void {
  for (const { metadata } of inputs) madeFor(principal, metadata);
  if (!looksAtAgents(principal)) return;
  const at = inputs.findIndex((input) => !permits(principal, live, input));
  if (at === -1) return;
  throw new Problem("forbidden", "an input is not yours to ask", {
    errors: [{ pointer: `/inputs/${at}`, detail: "not allowed" }],
  });
}

/**
 * All of it or nothing: what a limit would not let through at all is refused here, before a single
 * input is taken; what only takes longer is told in the batch's notices.
 *
 * @throws Problem `overloaded` | `rate_limited` | `budget_exceeded` | `idempotency_mismatch`
 */
export async function placeBatch(
  c: Intake,
  { live, inputs, fingerprint, redrivenFrom }: Placing,
): Promise<{ readonly id: string; readonly made: boolean }> {
  const arrival = c.get("arrival");
  const principal = c.get("principal");
  const scope = c.get("scope");
  const request = {
    speaker: speakerId(principal),
    idem: idempotencyKeyOf(arrival.request.headers) ?? null,
    fingerprint,
  };
  const known = await findByRequest(scope, request);
  if (known !== undefined) return { id: known, made: false };
  await demandRoom(scope, inputs.length);
  const { agentId, environment } = live;
  const { spec } = await getVersion(scope, agentId, live.version);
  if (spec.limits.requests_per_minute === 0) {
    throw new Problem("rate_limited", "the agent admits no requests");
  }
  const sealer = await sealerOf(arrival.services, scope, arrival.nowMs);
  const { tenantId } = scope;
  const seal = (id: string, text: string) =>
    sealer.seal({ tenantId, kind: "batch_chunk", id }, text);
  const chunks = chunksOf(inputs);
  const notices = noticesOf(inputs.length, spec.limits);
  const asked = { agentId, environment, principalId: principal.id, ...request, notices };
  const receipt = await take(arrival, principal, { credits: inputs.length, once: false });
  const placed = await createBatch(
    scope,
    { ...asked, redrivenFrom },
    chunks,
    seal,
    arrival.nowMs,
  ).then(
    (done) => ({ done }),
    (error: unknown) => ({ error }),
  );
  if (receipt !== undefined && !("done" in placed && placed.done.made)) await refund(receipt);
  if ("error" in placed) throw placed.error;
  if (placed.done.made) await announce(c.env, tenantId, placed.done.id, chunks);
  return placed.done;
}

async function demandRoom(scope: TenantScope, more: number): Promise<void> {
  const waiting = await countWaiting(scope);
  if (waiting + more <= MOST_WAITING) return;
  const detail = `${waiting} inputs wait already, and ${MOST_WAITING} may`;
  throw new Problem("overloaded", detail, { retryAfterMs: CROWDED_MS });
}

/** A failure is tolerated: the rows are there, and cron looks at them. */
async function announce(
  env: Env,
  tenantId: string,
  batchId: string,
  chunks: readonly { readonly first: number }[],
): Promise<void> {
  try {
    await wakeBatches(
      env.BATCHES,
      chunks.map(({ first }) => ({ tenantId, batchId, first })),
    );
  } catch (error) {
    logFault("the sweep will announce a batch", error);
  }
}

/**
 * The inputs of a batch that were refused, or whose invocations failed.
 *
 * @throws Problem `conflict` while it is not at its end, or when nothing failed | `content_erased`
 */
export async function inputsAgain(c: Intake, id: string): Promise<readonly BatchInput[]> {
  const scope = c.get("scope");
  const { nowMs, services } = c.get("arrival");
  const { status } = await getBatch(scope, id, nowMs);
  if (status !== "completed" && status !== "cancelled") {
    throw new Problem("conflict", "the batch is not at its end");
  }
  await demandInputs(scope, id);
  const failed = await failuresOf(scope, id);
  const sealer = await sealerOf(services, scope, nowMs);
  const again: BatchInput[] = [];
  for (const chunk of await listChunks(scope, id, 0, MAX_INPUTS)) {
    const inputs = openInputs(sealer, scope, chunk);
    chunk.outcomes?.forEach((outcome, i) => {
      const input = inputs[i];
      const failure = typeof outcome === "string" ? failed.has(outcome) : outcome !== null;
      if (failure && input) again.push(input);
    });
  }
  if (again.length === 0) throw new Problem("conflict", "nothing of the batch failed");
  return again;
}
