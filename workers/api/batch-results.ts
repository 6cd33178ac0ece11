import type { BatchInput, BatchResult, Outcome } from "../../core/batches/contract.ts";
import { findBatch } from "../../core/batches/store.ts";
import { type ChunkRow, listChunks } from "../../core/batches/store-chunks.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import { tagOf } from "../../core/ids.ts";
import type { Invocation } from "../../core/invocations/contract.ts";
import { Problem } from "../../core/problem.ts";
import { listObjects } from "../../core/runtime-objects/store.ts";
import type { Sealer } from "../../core/seal/contract.ts";
import type { Owner } from "../../durable-objects/agent-runtime/contract.ts";
import type { Arrival } from "../edge/arrival.ts";
import { sealerOf } from "../edge/sealing.ts";
import type { Reach } from "./narrowing.ts";
import { runtimeOf } from "./runtime.ts";

type Reader = Reach & { readonly env: Env; get(key: "arrival"): Arrival };

/** Objects one agent's invocations may stand in. */
const OBJECTS = 1000;

/** Inputs of a chunk, nulls for those that a move could not take along. */
export function openInputs(
  sealer: Sealer,
  { tenantId }: TenantScope,
  { id, sealedInputs, size }: ChunkRow,
): readonly (BatchInput | null)[] {
  if (sealedInputs === null) return Array.from({ length: size }, () => null);
  const text = sealer.open({ tenantId, kind: "batch_chunk", id }, sealedInputs);
  return JSON.parse(text) as readonly BatchInput[]; // as the edge has checked them
}

/** @throws Problem `content_erased`: every batch had inputs, and this one's have had their time. */
export async function demandInputs(scope: TenantScope, batchId: string): Promise<void> {
  const [chunk] = await listChunks(scope, batchId, 0, 1);
  if (chunk === undefined) {
    throw new Problem("content_erased", "it was kept as long as the tenant wanted");
  }
}

/**
 * A line of JSON for each input in their order, made while it is read: a chunk at a time.
 *
 * @throws Problem `content_erased`
 */
export async function resultLines(
  c: Reader,
  batchId: string,
  status: string | undefined,
): Promise<ReadableStream<Uint8Array>> {
  const scope = c.get("scope");
  const { services, nowMs } = c.get("arrival");
  const { agentId } = await findBatch(scope, batchId);
  await demandInputs(scope, batchId);
  const sealer = await sealerOf(services, scope, nowMs);
  const objects = await listObjects(scope, { agentId }, OBJECTS);
  const owners = new Map(
    objects.map(({ tag, ...place }) => [tag, { tenantId: scope.tenantId, ...place }]),
  );
  const encoder = new TextEncoder();
  let first = 0;
  return new ReadableStream({
    async pull(controller) {
      const [chunk] = await listChunks(scope, batchId, first, 1);
      if (chunk === undefined) return controller.close();
      first = chunk.first + chunk.size;
      const found = await invocationsOf(c.env, owners, chunk.outcomes ?? []);
      const lines = openInputs(sealer, scope, chunk)
        .map((input, i) => lineOf(chunk, input, i, found))
        .filter((line) => status === undefined || line.status === status)
        .map((line) => `${JSON.stringify(line)}\n`);
      controller.enqueue(encoder.encode(lines.join("")));
    },
  });
}

/** The invocations of a chunk as their objects have them now. */
async function invocationsOf(
  env: Env,
  owners: ReadonlyMap<string, Owner>,
  outcomes: readonly Outcome[],
): Promise<ReadonlyMap<string, Invocation>> {
  const ids = outcomes.filter((outcome) => typeof outcome === "string");
  const pages = [...Map.groupBy(ids, (id) => tagOf("invocation", id) ?? "")].map(
    async ([tag, mine]): Promise<readonly Invocation[]> => {
      const owner = owners.get(tag);
      if (owner === undefined) return [];
      const { page } = Problem.unwrap(await runtimeOf(env, owner).results(owner, mine));
      return JSON.parse(page) as readonly Invocation[]; // our own object's
    },
  );
  const all = (await Promise.all(pages)).flat();
  return new Map(all.map((invocation) => [invocation.id, invocation]));
}

function lineOf(
  chunk: ChunkRow,
  input: BatchInput | null,
  i: number,
  found: ReadonlyMap<string, Invocation>,
): BatchResult {
  const outcome = chunk.outcomes?.[i] ?? null;
  const line = { item: chunk.first + i, id: input?.id ?? null, output: null, cost_micros: 0 };
  if (outcome === null) {
    const status = chunk.dropped === 1 ? "cancelled" : "waiting";
    return { ...line, status, invocation_id: null, error: null };
  }
  if (typeof outcome !== "string") {
    return { ...line, status: "refused", invocation_id: null, error: outcome };
  }
  const known = found.get(outcome);
  if (known === undefined)
    return { ...line, status: "accepted", invocation_id: outcome, error: null };
  const { status, output, error, cost_micros } = known;
  return { ...line, status, invocation_id: outcome, output, error, cost_micros };
}
