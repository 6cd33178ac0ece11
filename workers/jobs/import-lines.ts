/**
 * The lines of a tenant's file, each checked and written as it comes. Their order is the file's: the
 * tenant, tables, objects with their rows, the manifest.
 */
import { type TenantScope, tenantScope } from "../../core/db/scope.ts";
import { runAll } from "../../core/db/statements.ts";
import { countRows } from "../../core/erasure/store-sweep.ts";
import { canonical } from "../../core/json/canonical.ts";
import { parseJsonText } from "../../core/json/text.ts";
import { Problem } from "../../core/problem.ts";
import type { Sealer } from "../../core/seal/contract.ts";
import { createSealer, createTenantSealer, forgeDataKey } from "../../core/seal/seal.ts";
import { slugFault } from "../../core/tenants/slug.ts";
import {
  Line,
  type Manifest,
  type ObjectLine,
  type Row,
  type Value,
} from "../../core/transfer/contract.ts";
import type { Numbered } from "../../core/transfer/lines.ts";
import { bringKey } from "../../core/transfer/store-keys.ts";
import {
  checkedRow,
  demandVacant,
  foreignIds,
  insertRows,
  landTenant,
} from "../../core/transfer/store-rows.ts";
import { type TransferRow, reportTransfer } from "../../core/transfer/store.ts";
import type { Wrapper } from "../../core/transfer/secrets.ts";
import { aead } from "../../durable-objects/aead.ts";
import type { ObjectRow, Owner } from "../../durable-objects/agent-runtime/contract.ts";
import {
  type Digest,
  type ExportedTable,
  type TransferJob,
  exportedTables,
  newDigest,
} from "./transfer.ts";

/** Rows gathered before they are written, by number and by text. */
const GATHERED = 90;
const GATHERED_UNITS = 512 * 1024;

/** What an import that is under way knows. */
export type Run = {
  readonly job: TransferJob;
  readonly scope: TenantScope;
  readonly transfer: TransferRow;
  readonly tables: ReadonlyMap<string, ExportedTable>;
  readonly digest: Digest;
  readonly secrets: Secrets | undefined;
  readonly slug: string | undefined;
  /** The tenant's own row, written last. */
  tenant: Row | undefined;
  to: { readonly object: Target } | { readonly table: ExportedTable } | undefined;
  gathered: Row[];
  arriving: ObjectRow[];
  units: number;
  readonly counted: Counted;
  /** Objects that a row of the control plane names: by those they are found when this is given up. */
  readonly named: Set<string>;
  lines: number;
  sizeBytes: number;
};

type Target = Owner | "gate";
type Counted = {
  readonly rows: Record<string, number>;
  readonly objectRows: Record<string, number>;
  objects: number;
};
type Secrets = { readonly wrapper: Wrapper; readonly sealer: Sealer };

export async function newRun(
  job: TransferJob,
  transfer: TransferRow,
  slug: string | undefined,
  wrapper: Wrapper | undefined,
): Promise<Run> {
  const scope = tenantScope(job.platform, transfer.tenantId);
  const tables = exportedTables(job.tables).map((table) => [table.name, table] as const);
  return {
    job,
    scope,
    transfer,
    slug,
    tables: new Map(tables),
    digest: newDigest(),
    secrets: wrapper && { wrapper, sealer: await newSealer(job, scope, transfer) },
    tenant: undefined,
    to: undefined,
    gathered: [],
    arriving: [],
    units: 0,
    counted: { rows: {}, objectRows: {}, objects: 0 },
    named: new Set(),
    lines: 0,
    sizeBytes: 0,
  };
}

async function newSealer(
  job: TransferJob,
  scope: TenantScope,
  transfer: TransferRow,
): Promise<Sealer> {
  const master = createSealer(aead, job.masterKeys);
  const forge = (tenantId: string, id: string) => forgeDataKey(master, tenantId, id);
  const keys = await bringKey(scope, forge, transfer.id, job.now());
  return createTenantSealer(aead, master, scope.tenantId, keys);
}

/** Everything behind the header, to the manifest. */
export async function takeAll(run: Run, lines: AsyncGenerator<Numbered, void>): Promise<void> {
  for await (const line of lines) {
    const said = Line.safeParse(parsed(line));
    if (!said.success) throw invalid(line.number, "is no line of an exported tenant");
    try {
      if ("manifest" in said.data) return await land(run, said.data, lines);
      await take(run, said.data);
    } catch (error) {
      throw error instanceof Problem && error.code === "invalid"
        ? invalid(line.number, error.data.detail)
        : error;
    }
    count(run, line.text);
  }
  throw new Problem("invalid", "the file ends before its manifest");
}

/** The line is part of the file: of its digest and its size. */
export function count(run: Run, text: string): void {
  run.digest.update(`${text}\n`);
  run.lines += 1;
  run.sizeBytes += new TextEncoder().encode(text).byteLength + 1;
}

async function take(run: Run, line: Exclude<Line, Manifest>): Promise<void> {
  if ("t" in line) return takeRow(run, line.t, line.r);
  if ("o" in line) return takeObjectRow(run, line.o, line.r);
  await flush(run);
  const { object } = line;
  run.counted.objects += 1;
  const target = object === "gate" ? object : ownerOf(run.scope, object);
  if (object !== "gate" && !run.named.has(nameOf(object))) {
    throw new Problem("invalid", "is an object that no row names");
  }
  run.to = { object: target };
  await sendRows(run, target, []); // one without rows arrives too
}

function nameOf(of: {
  readonly [part in "agent_id" | "environment" | "replica"]?: unknown;
}): string {
  return JSON.stringify([of.agent_id, of.environment, of.replica]);
}

function ownerOf(
  { tenantId }: TenantScope,
  { agent_id: agentId, environment, replica }: Exclude<ObjectLine["object"], "gate">,
): Owner {
  return { tenantId, agentId, environment, replica };
}

async function takeRow(run: Run, name: string, row: Row): Promise<void> {
  const table = run.tables.get(name);
  if (table === undefined) throw new Problem("invalid", "names a table that no export has");
  if (run.to === undefined || !("table" in run.to) || run.to.table !== table) await flush(run);
  if (run.to !== undefined && "object" in run.to) throw new Problem("invalid", "comes too late");
  run.to = { table };
  tally(run.counted.rows, name);
  const checked = checkedRow(table.table, row);
  if (name === "tenant") return takeTenant(run, checked);
  if (name === "runtime_object") run.named.add(nameOf(checked));
  if (run.tenant === undefined) throw new Problem("invalid", "comes before the tenant");
  run.gathered.push(await sealed(run, table, checked));
  run.units += sizeOf(row);
  if (run.gathered.length >= GATHERED || run.units >= GATHERED_UNITS) await flush(run);
}

async function takeTenant(run: Run, row: Row): Promise<void> {
  if (run.tenant !== undefined) throw new Problem("invalid", "is a second tenant");
  const slug = run.slug ?? String(row["slug"]);
  const fault = slugFault(slug);
  if (fault !== undefined) throw new Problem("invalid", `has a slug that cannot be: ${fault}`);
  await demandVacant(run.job.platform, run.scope.tenantId, slug, run.job.now());
  run.tenant = { ...row, slug };
}

/** Sealed columns under this platform's key. */
async function sealed({ scope, secrets }: Run, { rule }: ExportedTable, row: Row): Promise<Row> {
  const changed: Record<string, Value> = {};
  for (const [column, { kind, id }] of Object.entries(rule.sealed ?? {})) {
    const wrapped = row[column];
    if (typeof wrapped !== "string") continue;
    if (secrets === undefined) throw new Problem("invalid", "holds a secret, and is said not to");
    const place = { tenantId: scope.tenantId, kind, id: String(row[id]) };
    changed[column] = secrets.sealer.seal(place, await secrets.wrapper.unwrap(place, wrapped));
  }
  return { ...row, ...changed };
}

async function takeObjectRow(run: Run, table: string, row: Row): Promise<void> {
  if (run.to === undefined || !("object" in run.to)) {
    throw new Problem("invalid", "is a row of no object");
  }
  tally(run.counted.objectRows, table);
  run.arriving.push({ table, row });
  run.units += sizeOf(row);
  if (run.units >= GATHERED_UNITS || run.arriving.length >= 500) await flush(run);
}

/**
 * Write what was gathered.
 *
 * That it goes on is written first: one that was given up is swept, and may write no more.
 */
async function flush(run: Run): Promise<void> {
  const { to, gathered, arriving, job, scope, lines, sizeBytes } = run;
  run.gathered = [];
  run.arriving = [];
  run.units = 0;
  if (to === undefined) return;
  const progress = { lines, sizeBytes };
  if (!(await reportTransfer(job.platform, run.transfer, progress, job.now()))) {
    throw new Problem("conflict", "the import was given up meanwhile");
  }
  if ("object" in to) {
    if (arriving.length > 0) await sendRows(run, to.object, arriving);
  } else if (gathered.length > 0) {
    const { table } = to.table;
    const foreign = await foreignIds(job.platform, scope.tenantId, table, gathered);
    if (foreign.length > 0) throw new Problem("invalid", "has an id that is another tenant's");
    await runAll(scope.db, insertRows(scope, table, gathered));
  }
}

async function sendRows(run: Run, to: Target, rows: readonly ObjectRow[]): Promise<void> {
  const { job, scope, transfer } = run;
  Problem.unwrap(
    to === "gate"
      ? await job.gateOf(scope.tenantId).importPage(scope.tenantId, transfer.id, rows)
      : await job.runtimeOf(to).importPage(to, transfer.id, rows),
  );
}

/** I1: everything that came is what the manifest says, and what the store holds. */
async function land(
  run: Run,
  { manifest }: Manifest,
  rest: AsyncGenerator<Numbered, void>,
): Promise<void> {
  await flush(run);
  const { scope, job, counted, digest, lines, sizeBytes } = run;
  const sha256 = digest.hex();
  const came = { tenant: scope.tenantId, tables: counted.rows, objects: counted.objects };
  const whole = { ...came, object_rows: counted.objectRows, lines, sha256 };
  if (canonical(whole) !== canonical(manifest))
    throw new Problem("invalid", "does not fit what came");
  if (!(await rest.next()).done) throw new Problem("invalid", "is not the last line");
  const tables = [...run.tables.values()].map(({ table }) => table);
  const { tenant: own = 0, ...expected } = counted.rows;
  const held = await countRows(scope, tables);
  if (own !== 1 || run.tenant === undefined || canonical(held) !== canonical(expected)) {
    throw new Problem("invalid", "counts rows that break a rule of their table");
  }
  await landTenant(job.platform, run.transfer, run.tenant, { lines, sizeBytes, sha256 }, job.now());
}

function tally(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

function sizeOf(row: Row): number {
  let units = 0;
  for (const value of Object.values(row)) units += typeof value === "string" ? value.length : 8;
  return units;
}

/** @throws Problem `invalid`, by the line */
export function parsed({ text, number }: Numbered): unknown {
  try {
    return parseJsonText(text, "line");
  } catch {
    throw invalid(number, "is not JSON");
  }
}

export function invalid(line: number, detail: string): Problem {
  return new Problem("invalid", "the file cannot be taken in", {
    errors: [{ pointer: `line ${line}`, detail }],
  });
}
