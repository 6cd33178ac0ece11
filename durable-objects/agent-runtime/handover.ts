/**
 * Inputs of batches on their way in.
 *
 * U1  A batch leaves room for everybody else: it takes at most half of what may be open.
 * U2  What the object cannot take now is left with the batch, never refused; only what it would
 *     never take is.
 * U3  The same call again meets its invocation, whatever became of the answer to the first.
 */
import { refuse, type ProblemData, type Refusal } from "../../core/problem.ts";
import type { Call, Owner } from "./contract.ts";
import type { Cancelling, HandedOver, Results } from "./contract-handover.ts";
import type { Incarnation } from "./incarnation.ts";
import type { InvocationRow } from "./invocations.ts";
import type { Kernel } from "./kernel.ts";
import { cancelRow } from "./settle.ts";

/** How long one call waits for room, and how often it looks. */
const PATIENCE_MS = 10_000;
const LOOK_MS = 20;
/** Until a batch tries again that met no limit but a full object. */
const AGAIN_MS = 1000;
/** Invocations cancelled in one transaction. */
const CANCELLED_AT_ONCE = 200;

export async function handOver(
  self: Incarnation,
  owner: Owner,
  calls: readonly Call[],
): Promise<HandedOver | Refusal> {
  const { kernel } = self;
  const outcomes: HandedOver["outcomes"][number][] = calls.map(() => null);
  const untilMs = kernel.now() + PATIENCE_MS;
  const told = (retryAfterMs: number) => ({ ok: true, outcomes, retryAfterMs }) as const;
  for (const [i, call] of calls.entries()) {
    const live = self.installed(owner, call.generation) ?? (await self.pull(owner));
    if (!live) return refuse("not_deployed", "no version of this agent is live here");
    const room = await roomFor(kernel, live.spec.limits.queue_depth, untilMs, () =>
      over(self, call),
    );
    if (!room) return told(AGAIN_MS);
    const accepted = await self.accept(call);
    const waitMs = accepted.ok ? undefined : putOffMs(accepted.problem);
    if (waitMs !== undefined) return told(waitMs);
    outcomes[i] = accepted.ok ? accepted.id : spoken(accepted.problem);
  }
  return told(0);
}

/** Some of what is open of a batch ends as cancelled. */
export async function cancelBatch(
  self: Incarnation,
  owner: Owner,
  speaker: string,
  batch: string,
): Promise<Cancelling | Refusal> {
  const found = await self.find(owner, "");
  if (!found.ok && !self.ownership.holds(owner)) return found;
  const known = cancelled.get(self) ?? new Set();
  cancelled.set(self, known.add(batch));
  const rows = openOf(self.kernel, speaker, batch);
  const nowMs = self.kernel.now();
  const ended = self.kernel.sql.transaction(() =>
    rows.map((row) => ({
      row: cancelRow(self.kernel, row, nowMs),
      waited: row.status === "waiting",
    })),
  );
  for (const one of ended) self.runner.cancelled(one);
  return { ok: true, left: rows.length === CANCELLED_AT_ONCE };
}

/** Those of these invocations that are here, in the order of `ids`, without their inputs. */
export async function results(
  self: Incarnation,
  owner: Owner,
  ids: readonly string[],
): Promise<Results | Refusal> {
  if (!self.ownership.holds(owner)) return refuse("not_found", "no such agent");
  const found = [];
  for (const id of ids) {
    const one = await self.find(owner, id);
    if (one.ok) found.push({ ...self.onWire(one.row, owner), input: null });
  }
  return { ok: true, page: JSON.stringify(found) };
}

/** Batches a cancel has come for: what is being handed over of them stops. The record is the batch's row. */
const cancelled = new WeakMap<Incarnation, Set<string>>();

function over(self: Incarnation, { batch }: Call): boolean {
  return batch !== undefined && cancelled.get(self)?.has(batch) === true;
}

/** U1. False when there is none in time, or nobody needs it any more. */
async function roomFor(
  kernel: Kernel,
  queueDepth: number,
  untilMs: number,
  over: () => boolean,
): Promise<boolean> {
  const room = Math.max(1, Math.floor(queueDepth / 2));
  while (kernel.open.count >= room) {
    if (kernel.now() >= untilMs || over()) return false;
    await new Promise<void>((resolve) => kernel.deadlines.after(LOOK_MS, resolve));
  }
  return !over();
}

function spoken({ code, detail }: ProblemData): Pick<ProblemData, "code" | "detail"> {
  return { code, detail };
}

/** U2. When to ask again; undefined for a refusal that stays one. */
function putOffMs({ code, retryAfterMs, quotas }: ProblemData): number | undefined {
  if (retryAfterMs !== undefined) return Math.max(1, retryAfterMs);
  if (PASSING.has(code)) return AGAIN_MS;
  const resets = quotas?.flatMap(({ resetMs }) => resetMs ?? []) ?? [];
  return resets.length > 0 ? Math.max(1, ...resets) : undefined;
}

const PASSING: ReadonlySet<ProblemData["code"]> = new Set([
  "rate_limited",
  "overloaded",
  "not_deployed",
  "suspended",
  "timeout",
  "internal",
]);

function openOf({ sql }: Kernel, speaker: string, batch: string): readonly InvocationRow[] {
  return sql.all<InvocationRow>(
    `SELECT * FROM invocation
     WHERE principal = ?1 AND idem > ?2 || ' ' AND idem < ?2 || '!' AND pending = 1 LIMIT ?3`,
    speaker,
    batch,
    CANCELLED_AT_ONCE,
  );
}
