/**
 * Erasing a tenant, phase by phase (core/erasure/contract.ts has their order).
 *
 * Z1  The row is the record: whoever takes it up goes on where it stands. Cron does, when whoever
 *     began has died.
 * Z2  Each phase may be done again, wherever it was left.
 * Z3  The keys go before what they open: from then on no backup of a secret can be read.
 * Z4  What requests and messages under way could still write is swept again after they are over,
 *     and nothing is certified before a count of every table has found nothing.
 */
import type { Config } from "../../core/config.ts";
import { type TenantScope, tenantScope } from "../../core/db/scope.ts";
import { signCertificate } from "../../core/erasure/certificate.ts";
import type { ErasureCounts, ErasurePhase } from "../../core/erasure/contract.ts";
import { countRows, sweepPlatformAnswers, sweepTables } from "../../core/erasure/store-sweep.ts";
import {
  type Advance,
  type ErasureRow,
  TAKEN_MS,
  advanceErasure,
  completeErasure,
  takeErasures,
} from "../../core/erasure/store.ts";
import type { HostnameEdge } from "../../core/hostnames/edge.ts";
import { type HostnameRow, listHostnames } from "../../core/hostnames/store.ts";
import { Problem } from "../../core/problem.ts";
import { keyFingerprints } from "../../core/transfer/store-keys.ts";
import { dataKey } from "../../core/data-keys/table.ts";
import { logFault } from "./batch.ts";
import { type SweepJob, eraseObjects, sweepRows, sweptTables } from "./erase-tenant.ts";

export type ErasureJob = SweepJob & {
  readonly config: Pick<
    Config,
    "tokenSigningJwk" | "scheme" | "baseAuthority" | "credentialCacheMs"
  >;
  /** Whatever answers for custom hostnames. */
  readonly edge: Pick<HostnameEdge, "remove">;
  readonly now: () => number;
  /** Passed after each phase, before it is left; a test throws from it to play a crash. */
  readonly passed?: (phase: ErasurePhase) => void;
};

/** Requests that came in while the tenant was believed active are over by then. */
const UNDER_WAY_MS = 10_000;

/** How long after a change of its status nothing acts for the tenant any more. */
export function quietMs({ credentialCacheMs }: Pick<Config, "credentialCacheMs">): number {
  return credentialCacheMs === 0 ? 0 : credentialCacheMs + UNDER_WAY_MS;
}

/** Take up what is due, each as far as it goes. Returns how many there were. */
export async function carryErasures(job: ErasureJob, limit: number): Promise<number> {
  const taken = await takeErasures(job.platform, job.now(), limit);
  for (const row of taken) {
    try {
      await carry(job, row);
    } catch (error) {
      logFault("an erasure will be taken up again", error);
    }
  }
  return taken.length;
}

async function carry(job: ErasureJob, taken: ErasureRow): Promise<void> {
  let row: ErasureRow | undefined = taken;
  while (row !== undefined) {
    const next: Next | undefined = await PHASES[row.phase](job, row);
    job.passed?.(row.phase);
    if (next === undefined) return;
    const { waitMs = 0, ...change } = next;
    const dueAtMs = job.now() + (waitMs > 0 ? waitMs : TAKEN_MS);
    row = await advanceErasure(job.platform, row, { ...change, dueAtMs });
    if (waitMs > 0) return;
  }
}

type Next = Omit<Advance, "dueAtMs"> & { readonly waitMs?: number };
type Phase = (job: ErasureJob, row: ErasureRow) => Promise<Next | undefined>;

const PHASES: Readonly<Record<ErasurePhase, Phase>> = {
  async count(job, { tenantId }) {
    const rows = await countRows(tenantScope(job.platform, tenantId), sweptTables(job.tables));
    return { phase: "keys", counts: countsOf(rows) };
  },
  async keys({ platform }, { tenantId, keys }) {
    const scope = tenantScope(platform, tenantId);
    const fingerprints = keys ?? (await keyFingerprints(scope));
    await sweepTables(scope, [dataKey]); // Z3
    return { phase: "objects", keys: fingerprints };
  },
  async objects(job, { tenantId }) {
    await eraseObjects(job, tenantScope(job.platform, tenantId));
    return { phase: "gate" };
  },
  async gate(job, { tenantId }) {
    Problem.unwrap(await job.gateOf(tenantId).erase(tenantId));
    return { phase: "hostnames" };
  },
  async hostnames({ platform, edge }, { tenantId }) {
    const scope = tenantScope(platform, tenantId);
    for await (const { name, edgeId, claimedName } of hostnamesOf(scope)) {
      if (claimedName === null) continue;
      const removed = await edge.remove(name, edgeId);
      if (!removed.ok) throw removed.problem; // asked again when it is taken up again
    }
    return { phase: "rows" };
  },
  async rows(job, { tenantId }) {
    await sweepRows(job, tenantScope(job.platform, tenantId));
    await sweepPlatformAnswers(job.platform, tenantId);
    return { phase: "verify", waitMs: quietMs(job.config) };
  },
  async verify(job, row) {
    const scope = tenantScope(job.platform, row.tenantId);
    const late = await countRows(scope, sweptTables(job.tables));
    if (Object.keys(late).length === 0) return { phase: "certify" };
    return { phase: "objects", counts: added(row.counts, late), waitMs: quietMs(job.config) };
  },
  async certify({ platform, config, now }, row) {
    const { tokenSigningJwk: jwk, scheme, baseAuthority } = config;
    const origin = `${scheme}://${baseAuthority}`;
    const signed = jwk === undefined ? null : await signCertificate(jwk, origin, row, now());
    await completeErasure(platform, row, signed, now());
    return undefined;
  },
};

async function* hostnamesOf(scope: TenantScope): AsyncGenerator<HostnameRow, void> {
  let cursor: string | undefined;
  do {
    const page = await listHostnames(scope, { limit: 100, cursor });
    yield* page.data;
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
}

function countsOf(rows: Readonly<Record<string, number>>): ErasureCounts {
  return { rows, objects: rows["runtime_object"] ?? 0, hostnames: rows["hostname"] ?? 0 };
}

function added(
  counts: ErasureCounts | null,
  late: Readonly<Record<string, number>>,
): ErasureCounts {
  const rows: Record<string, number> = { ...counts?.rows };
  for (const [table, count] of Object.entries(late)) rows[table] = (rows[table] ?? 0) + count;
  return countsOf(rows);
}
