import type { TenantScope } from "../db/scope.ts";
import { Problem } from "../problem.ts";
import type { Jwk } from "../tokens/jwk.ts";
import { judgeCheckpoint } from "./checkpoint.ts";
import type { Checkpoint, Fault, Mark, Verification } from "./contract.ts";
import { chainPart, countWaiting, findCheckpoint } from "./store-chain.ts";
import { endFault, followChain } from "./verify.ts";

/** Entries read at once, and parts in one answer: 20,000 entries, about two seconds of hashing. */
const PART = 500;
const PARTS = 40;

export type VerifyWish = {
  /** `seq` of the checkpoint to go on from; from the first entry when absent. */
  readonly from: number | undefined;
  /** The head that the tenant's gate remembers. */
  readonly head: Mark | null;
  /** What checkpoints may be signed with, the public halves. */
  readonly keys: readonly Jwk[];
};

type Told = {
  head: Mark | null;
  entries: number;
  checkpoints: number;
  unknown: number;
  /** The last signed place that was passed: where another answer can go on. */
  passed: number | null;
};

/**
 * Recompute a tenant's chain against its checkpoints and the head that its gate remembers.
 *
 * @throws Problem `not_found`  there is no checkpoint at `from`.
 */
export async function verifyTrail(scope: TenantScope, wish: VerifyWish): Promise<Verification> {
  const unchained = await countWaiting(scope);
  const start = await startOf(scope, wish);
  const told: Told = { head: null, entries: 0, checkpoints: 0, unknown: 0, passed: null };
  if ("fault" in start) return verification(told, unchained, start.fault);
  told.head = start.mark;
  for (let part = 0; part < PARTS; part += 1) {
    const { entries, checkpoints } = await chainPart(scope, told.head?.seq ?? 0, PART);
    const fault = await follow(scope, told, { entries, checkpoints }, wish.keys);
    if (fault !== undefined) return verification(told, unchained, fault);
    if (entries.length < PART) {
      return verification(told, unchained, endFault(told.head, wish.head));
    }
  }
  // Without a checkpoint on the way there is nothing to go on from; then this is all there is.
  return { ...verification(told, unchained, undefined), next_from: told.passed };
}

async function startOf(
  scope: TenantScope,
  { from, keys }: VerifyWish,
): Promise<{ readonly mark: Mark | null } | { readonly fault: Fault }> {
  if (from === undefined) return { mark: null };
  const checkpoint = await findCheckpoint(scope, from);
  if (checkpoint === undefined) throw new Problem("not_found", "no checkpoint at that entry");
  const { seq, hash } = checkpoint;
  if ((await judgeCheckpoint(checkpoint, scope.tenantId, keys)) === "forged") {
    return { fault: { seq, id: null, what: "signature" } };
  }
  return { mark: { seq, hash } };
}

async function follow(
  scope: TenantScope,
  told: Told,
  part: Awaited<ReturnType<typeof chainPart>>,
  keys: readonly Jwk[],
): Promise<Fault | undefined> {
  const marks = new Map<number, string>();
  for (const checkpoint of part.checkpoints) {
    const judged = await judgeCheckpoint(checkpoint, scope.tenantId, keys);
    if (judged === "forged") return { seq: checkpoint.seq, id: null, what: "signature" };
    if (judged === "unknown") told.unknown += 1;
    marks.set(checkpoint.seq, checkpoint.hash);
  }
  const followed = await followChain(part.entries, told.head, marks);
  told.head = followed.head;
  told.entries += followed.entries;
  told.checkpoints += followed.marks;
  told.passed = lastPassed(part.checkpoints, followed.head) ?? told.passed;
  return followed.fault;
}

function lastPassed(checkpoints: readonly Checkpoint[], head: Mark | null): number | undefined {
  return checkpoints.findLast(({ seq }) => seq <= (head?.seq ?? 0))?.seq;
}

function verification(told: Told, unchained: number, fault: Fault | undefined): Verification {
  const { entries, checkpoints, unknown, head } = told;
  const counted = { entries, unchained, checkpoints, unknown_keys: unknown, head, next_from: null };
  return fault === undefined
    ? { verified: true, ...counted }
    : { verified: false, ...counted, fault };
}
