/**
 * LEDGER → the control plane: finished invocations and what they cost.
 *
 * The object is the record until it is told otherwise (DECISIONS 22). A message is only a wake-up;
 * what is owed is asked of the object, written here by id, and acknowledged after the write. Dying
 * anywhere in between repeats an upsert and nothing else.
 */
import { z } from "zod";
import { upsertApprovals } from "../../core/approvals/store.ts";
import { type PlatformScope, type TenantScope, tenantScope } from "../../core/db/scope.ts";
import { upsertLedger } from "../../core/invocations/store.ts";
import { isId } from "../../core/ids.ts";
import { Problem } from "../../core/problem.ts";
import { findTenantStatus } from "../../core/tenants/store-status.ts";
import type {
  AgentRuntimeRpc,
  LedgerEntry,
  Owner,
} from "../../durable-objects/agent-runtime/contract.ts";
import type { End } from "./triggers.ts";
import { type Batch, type Message, putOff } from "./batch.ts";

/** Rows asked of an object at once. */
const PAGE = 100;

export const LedgerWakeUp = z.object({
  tenantId: z.string().refine((id) => isId("tenant", id)),
  agentId: z.string(),
  environment: z.string(),
  replica: z.number().int(),
});

export type LedgerJob = {
  /** What follows from ends of invocations, before they are acknowledged (./triggers.ts). */
  readonly ended?: (scope: TenantScope, ends: readonly End[]) => Promise<void>;
  readonly platform: PlatformScope;
  readonly runtimeOf: (
    owner: Owner,
  ) => Pick<AgentRuntimeRpc, "ledger" | "acknowledge" | "approvalsOwed" | "acknowledgeApprovals">;
};

/** Objects asked side by side: their pages become one write for each tenant. */
const WAVE = 50;

type Visit = { readonly owner: Owner; readonly messages: readonly Message[] };
type Owed = Visit & { readonly entries: readonly LedgerEntry[]; readonly approvals: boolean };

/**
 * Identical wake-ups of a batch are one visit. The visits of a wave share their write, because a
 * batch of the store costs far more than a row in it; a fault of one visit puts off its own
 * messages, a fault of a tenant's write those of the tenant.
 */
export async function consumeLedger(batch: Batch, job: LedgerJob): Promise<void> {
  const visits = visitsOf(batch);
  for (let at = 0; at < visits.length; at += WAVE) {
    await settleWave(visits.slice(at, at + WAVE), job);
  }
}

function visitsOf(batch: Batch): Visit[] {
  const same = Map.groupBy(batch.messages, ({ body }) => JSON.stringify(body));
  return [...same.values()].flatMap((messages): Visit[] => {
    const wakeUp = LedgerWakeUp.safeParse(messages[0]?.body);
    if (wakeUp.success) return [{ owner: wakeUp.data, messages }];
    for (const message of messages) message.ack(); // not ours: nothing to visit
    return [];
  });
}

/** Page, write, acknowledge, until nobody of the wave has a full page left. */
async function settleWave(visits: readonly Visit[], job: LedgerJob): Promise<void> {
  let left = visits;
  while (left.length > 0) {
    const owed = await inParallel(left, (visit) => pageOf(visit, job));
    const written = await inParallel(
      [...Map.groupBy(owed, ({ owner }) => owner.tenantId).values()],
      (mine) => writeTenant(mine, job),
    );
    const done = await inParallel(written.flat(), (visit) => acknowledge(visit, job));
    // What ended meanwhile has a wake-up of its own.
    left = done.filter(({ entries }) => entries.length === PAGE);
    for (const { messages, entries } of done) {
      if (entries.length < PAGE) for (const message of messages) message.ack();
    }
  }
}

async function pageOf(visit: Visit, { runtimeOf }: LedgerJob): Promise<Owed> {
  const { page, approvals = false } = await putOffIf([visit], async () => {
    const owed = await runtimeOf(visit.owner).ledger(visit.owner, PAGE);
    // Erased meanwhile: its tombstone owes nothing, however late the message comes.
    if (!owed.ok && owed.problem.code === "not_found") return { page: "[]", approvals: false };
    return Problem.unwrap(owed);
  });
  return { ...visit, entries: JSON.parse(page) as LedgerEntry[], approvals }; // our own object's
}

async function writeTenant(
  owed: readonly Owed[],
  { platform, ended }: LedgerJob,
): Promise<readonly Owed[]> {
  const entries = owed.flatMap((visit) => visit.entries);
  const tenantId = owed[0]?.owner.tenantId;
  if (entries.length === 0 || tenantId === undefined) return owed;
  const scope = tenantScope(platform, tenantId);
  await putOffIf(owed, async () => {
    // One that is being erased gets no row any more (DECISIONS 29).
    const status = await findTenantStatus(scope);
    if (status === undefined || status === "erasing") return;
    await upsertLedger(scope, entries);
    // What ends while a tenant is suspended starts nothing.
    if (status === "active") await ended?.(scope, endsOf(owed));
  });
  return owed;
}

function endsOf(owed: readonly Owed[]): readonly End[] {
  return owed.flatMap(({ owner, entries }) => entries.map((entry) => ({ owner, entry })));
}

async function acknowledge(visit: Owed, { runtimeOf, platform }: LedgerJob): Promise<Owed> {
  const ids = visit.entries.map(({ invocation }) => invocation.id);
  const { owner } = visit;
  await putOffIf([visit], async () => {
    const runtime = runtimeOf(owner);
    if (ids.length > 0) Problem.unwrap(await runtime.acknowledge(owner, ids));
    if (visit.approvals) {
      await settleApprovals(runtime, owner, tenantScope(platform, owner.tenantId));
    }
  });
  return visit;
}

/** The same for what waits for a decision: asked, written, acknowledged. */
export async function settleApprovals(
  runtime: Pick<AgentRuntimeRpc, "approvalsOwed" | "acknowledgeApprovals">,
  owner: Owner,
  scope: TenantScope,
): Promise<void> {
  for (;;) {
    const { entries } = Problem.unwrap(await runtime.approvalsOwed(owner, PAGE));
    const status = entries.length === 0 ? undefined : await findTenantStatus(scope);
    if (status !== undefined && status !== "erasing") await upsertApprovals(scope, entries);
    if (entries.length > 0) Problem.unwrap(await runtime.acknowledgeApprovals(owner, entries));
    if (entries.length < PAGE) return;
  }
}

/** Their messages come again later, and the error ends this part of the work. */
async function putOffIf<T>(visits: readonly Visit[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    for (const { messages } of visits) for (const message of messages) putOff(message, error);
    throw error;
  }
}

/** What succeeded; what failed has been put off already. */
async function inParallel<A, B>(items: readonly A[], work: (item: A) => Promise<B>): Promise<B[]> {
  const outcomes = await Promise.allSettled(items.map(work));
  return outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
}
