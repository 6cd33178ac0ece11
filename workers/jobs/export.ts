/**
 * A whole tenant as one file: NDJSON, one text for one state (core/json/canonical), read page by
 * page while it is sent. docs/transfer.md describes the format.
 *
 * T1  The tenant is suspended and its objects rest, so every page is of one moment.
 * T2  Tables come in their order, rows in the order of their keys, members in that of their names:
 *     the same tenant is the same bytes.
 * T3  What is owed to the ledger is settled and the audit trail chained first: nothing that lags
 *     behind changes a row afterwards.
 */
import { record } from "../../core/audit/store-record.ts";
import { type TenantScope, tenantScope } from "../../core/db/scope.ts";
import { upsertLedger } from "../../core/invocations/store.ts";
import { canonical } from "../../core/json/canonical.ts";
import { Problem, type Refusal } from "../../core/problem.ts";
import { listObjects } from "../../core/runtime-objects/store.ts";
import type { Sealer } from "../../core/seal/contract.ts";
import { createSealer, createTenantSealer } from "../../core/seal/seal.ts";
import { findTenantStatus } from "../../core/tenants/store-status.ts";
import { getTenant } from "../../core/tenants/store.ts";
import type { Header, Row, Value } from "../../core/transfer/contract.ts";
import { wrappedKeys } from "../../core/transfer/store-keys.ts";
import { keyValues, readRows } from "../../core/transfer/store-rows.ts";
import { type TransferRow, reportTransfer } from "../../core/transfer/store.ts";
import { createWrapper, type Wrapper } from "../../core/transfer/secrets.ts";
import { aead } from "../../durable-objects/aead.ts";
import type {
  LedgerEntry,
  ObjectCursor,
  ObjectPage,
  Owner,
} from "../../durable-objects/agent-runtime/contract.ts";
import {
  type Digest,
  type ExportedTable,
  type TransferJob,
  exportedTables,
  newDigest,
  stretch,
} from "./transfer.ts";
import { settleApprovals } from "./ledger.ts";

/** Rows read at once where none is large. */
const PAGE_ROWS = 200;
/** Objects listed at once, and ledger entries fetched at once. */
const LISTED = 100;
/** Progress is written down after so many pieces. */
const REPORT_EVERY = 50;

type Counts = Record<string, number>;

/** What a run of an export carries along. */
type Run = {
  readonly job: TransferJob;
  readonly scope: TenantScope;
  readonly transfer: TransferRow;
  readonly wrapper: Wrapper | undefined;
  /** The tenant's own, when it began. */
  readonly revision: number;
  readonly digest: Digest;
  readonly tables: Counts;
  readonly objectRows: Counts;
  objects: number;
  lines: number;
  sizeBytes: number;
};

/** @throws Problem `conflict` unless the tenant is suspended (T1) */
export async function demandSuspended(scope: TenantScope): Promise<void> {
  const status = await findTenantStatus(scope);
  if (status === "suspended") return;
  throw new Problem("conflict", "an export is taken from a suspended tenant: suspend it first");
}

/** Every agent's object rests, and nothing is owed (T1, T3). */
export async function settleObjects(job: TransferJob, tenantId: string): Promise<void> {
  const scope = tenantScope(job.platform, tenantId);
  for await (const owner of ownersOf(scope)) {
    Problem.unwrap(await job.runtimeOf(owner).rest(owner));
    await settleLedger(job, scope, owner);
  }
  await job.gateOf(tenantId).chain(tenantId);
}

/** Take over what an object owes the ledger, until it owes nothing. */
export async function settleLedger(
  job: Pick<TransferJob, "runtimeOf">,
  scope: TenantScope,
  owner: Owner,
): Promise<void> {
  for (;;) {
    const runtime = job.runtimeOf(owner);
    const page = await runtime.ledger(owner, LISTED);
    if (!page.ok) return; // nothing was ever installed
    const entries = JSON.parse(page.page) as LedgerEntry[]; // our own object's
    if (entries.length === 0) return settleApprovals(runtime, owner, scope);
    await upsertLedger(scope, entries);
    const ids = entries.map(({ invocation }) => invocation.id);
    Problem.unwrap(await runtime.acknowledge(owner, ids));
  }
}

/**
 * The file, piece by piece. A reader that leaves, or a fault, ends the transfer as failed.
 *
 * @param by  The tenant's rows, on behalf of whoever asked.
 */
export async function* exportFile(
  job: TransferJob,
  by: TenantScope,
  transfer: TransferRow,
  passphrase: string | undefined,
): AsyncGenerator<Uint8Array, void> {
  const encoder = new TextEncoder();
  const run = await newRun(job, by, transfer, passphrase);
  let whole = false;
  let pieces = 0;
  try {
    for await (const lines of linesOf(run)) {
      const text = lines.map((line) => `${canonical(line)}\n`).join("");
      const bytes = encoder.encode(text);
      run.digest.update(text);
      run.lines += lines.length;
      run.sizeBytes += bytes.byteLength;
      yield bytes;
      pieces += 1;
      if (pieces % REPORT_EVERY === 0) await report(run, {});
    }
    await demandUnchanged(run);
    yield encoder.encode(`${canonical(manifestOf(run))}\n`);
    whole = true;
  } finally {
    await end(run, whole);
  }
}

/** Reactivated meanwhile, it was not of one moment: then it gets no last line (T1). */
async function demandUnchanged({ job, scope, revision }: Run): Promise<void> {
  const { revision: now, status } = await getTenant(job.platform, scope.tenantId);
  if (now !== revision || status !== "suspended") throw new Error("the tenant changed meanwhile");
}

/** Its record, and an entry in the tenant's trail: written last, so it is in the next export. */
async function end(run: Run, whole: boolean): Promise<void> {
  const { job, scope, transfer, lines } = run;
  const sha256 = run.digest.hex();
  const ended = whole
    ? { status: "done" as const, sha256 }
    : { status: "failed" as const, error: "it was broken off" };
  await report(run, ended);
  const fact = { action: "tenant.exported", kind: "tenant", id: scope.tenantId };
  const detail = { transfer: transfer.id, whole, lines, ...(whole ? { sha256 } : {}) };
  await record(scope, { ...fact, detail }, job.now());
}

async function newRun(
  job: TransferJob,
  scope: TenantScope,
  transfer: TransferRow,
  passphrase: string | undefined,
): Promise<Run> {
  const { tenantId } = transfer;
  const wrapper =
    passphrase === undefined ? undefined : await createWrapper(stretch, passphrase, tenantId);
  const nothing = { tables: {}, objectRows: {}, objects: 0, lines: 0, sizeBytes: 0 };
  const { revision } = await getTenant(job.platform, tenantId);
  return { job, transfer, wrapper, scope, revision, digest: newDigest(), ...nothing };
}

async function report(run: Run, end: Parameters<typeof reportTransfer>[2]): Promise<void> {
  const { job, transfer, lines, sizeBytes } = run;
  await reportTransfer(job.platform, transfer, { lines, sizeBytes, ...end }, job.now());
}

async function* linesOf(run: Run): AsyncGenerator<readonly object[], void> {
  const { tenantId } = run.scope;
  const secrets = run.wrapper
    ? { secrets: "wrapped" as const, check: run.wrapper.check }
    : { secrets: "left_out" as const };
  yield [{ berth: "tenant", format: 1, tenant: tenantId, ...secrets } satisfies Header];
  const sealer = await sealerOf(run);
  for (const exported of exportedTables(run.job.tables)) yield* tableLines(run, exported, sealer);
  for await (const owner of ownersOf(run.scope)) yield* agentLines(run, owner);
  yield* gateLines(run);
}

async function* tableLines(
  run: Run,
  { name, table, rule }: ExportedTable,
  sealer: Sealer,
): AsyncGenerator<readonly object[], void> {
  const limit = rule.pageRows ?? PAGE_ROWS;
  let after: readonly Value[] | undefined;
  for (;;) {
    const rows = await readRows(run.scope, table, after, limit);
    const lines: object[] = [];
    for (const row of rows) lines.push({ t: name, r: await unsealed(run, rule, row, sealer) });
    run.tables[name] = (run.tables[name] ?? 0) + rows.length;
    if (lines.length > 0) yield lines;
    const last = rows.at(-1);
    if (last === undefined || rows.length < limit) return;
    after = keyValues(table, last);
  }
}

/** Sealed columns wrapped, or left out. */
async function unsealed(
  { wrapper, scope }: Run,
  { sealed = {} }: ExportedTable["rule"],
  row: Row,
  sealer: Sealer,
): Promise<Row> {
  const changed: Record<string, Value> = {};
  for (const [column, { kind, id }] of Object.entries(sealed)) {
    const blob = row[column];
    if (typeof blob !== "string") continue;
    const place = { tenantId: scope.tenantId, kind, id: String(row[id]) };
    changed[column] = wrapper ? await wrapper.wrap(place, sealer.open(place, blob)) : null;
  }
  return { ...row, ...changed };
}

async function* agentLines(run: Run, owner: Owner): AsyncGenerator<readonly object[], void> {
  const { agentId, environment, replica } = owner;
  yield [{ object: { agent_id: agentId, environment, replica } }];
  yield* objectLines(run, (cursor) => run.job.runtimeOf(owner).exportPage(owner, cursor));
}

async function* gateLines(run: Run): AsyncGenerator<readonly object[], void> {
  const { tenantId } = run.scope;
  yield [{ object: "gate" }];
  yield* objectLines(run, (cursor) => run.job.gateOf(tenantId).exportPage(tenantId, cursor));
}

async function* objectLines(
  run: Run,
  pageAt: (cursor: ObjectCursor | undefined) => Promise<ObjectPage | Refusal>,
): AsyncGenerator<readonly object[], void> {
  run.objects += 1;
  let cursor: ObjectCursor | undefined;
  do {
    const page = Problem.unwrap(await pageAt(cursor));
    for (const { table } of page.rows) run.objectRows[table] = (run.objectRows[table] ?? 0) + 1;
    if (page.rows.length > 0) yield page.rows.map(({ table, row }) => ({ o: table, r: row }));
    cursor = page.next;
  } while (cursor !== undefined);
}

/** Opens what the tenant has sealed; with nothing sealed it opens nothing. */
async function sealerOf({ job, scope }: Run): Promise<Sealer> {
  const master = createSealer(aead, job.masterKeys);
  return createTenantSealer(aead, master, scope.tenantId, await wrappedKeys(scope));
}

/** Every object of the tenant's, in the order of their tags. */
export async function* ownersOf(scope: TenantScope, agentId?: string): AsyncGenerator<Owner, void> {
  const of = agentId === undefined ? {} : { agentId };
  let after: string | undefined;
  for (;;) {
    const places = await listObjects(scope, { after, ...of }, LISTED);
    for (const { tag: _tag, ...place } of places) yield { tenantId: scope.tenantId, ...place };
    after = places.at(-1)?.tag;
    if (places.length < LISTED) return;
  }
}

/** `sha256` is of every byte before the manifest's own line. */
function manifestOf({ scope, tables, objects, objectRows, lines, digest }: Run): object {
  const counts = Object.fromEntries(Object.entries(tables).filter(([, count]) => count > 0));
  const { tenantId: tenant } = scope;
  const sha256 = digest.hex();
  return {
    manifest: { tenant, tables: counts, objects, object_rows: objectRows, lines, sha256 },
  };
}
