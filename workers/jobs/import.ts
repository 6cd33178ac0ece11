/**
 * A whole tenant out of one file. docs/transfer.md describes the format.
 *
 * I1  From outside it is all or nothing: while rows arrive there is no row of the tenant itself, so
 *     no host leads to it. That row is written last, suspended, when the manifest has been held
 *     against everything that came.
 * I2  What a file says is checked line by line before it is written: known tables and columns, types,
 *     and no id that is looked up across tenants and is somebody else's.
 * I3  Whose rows they are is said once, in the header. No line can name another tenant.
 * I4  What is given up is swept: at once where it is noticed, by cron where nobody is left to.
 */
import { z } from "zod";
import { isId } from "../../core/ids.ts";
import { Problem } from "../../core/problem.ts";
import { Header, LINE_MAX_BYTES, Passphrase } from "../../core/transfer/contract.ts";
import { type Numbered, linesOf } from "../../core/transfer/lines.ts";
import { demandVacant } from "../../core/transfer/store-rows.ts";
import {
  type TransferRow,
  beginTransfer,
  reportTransfer,
  stalledTransfers,
} from "../../core/transfer/store.ts";
import { createWrapper, type Wrapper } from "../../core/transfer/secrets.ts";
import { logFault } from "./batch.ts";
import { sweepArrived } from "./erase-tenant.ts";
import { count, invalid, newRun, parsed, takeAll } from "./import-lines.ts";
import { type TransferJob, stretch } from "./transfer.ts";

/** A transfer that has not moved for so long has nobody left that carries it. */
const STALLED_MS = 15 * 60_000;

export type Wanted = {
  readonly body: ReadableStream<Uint8Array>;
  readonly maxBytes: number;
  /** Instead of the one in the file. */
  readonly slug?: string | undefined;
  readonly requestedBy: string;
};

/**
 * Bring a tenant in; it is suspended then.
 *
 * @throws Problem `already_exists` when the tenant or its slug is here, `invalid` for what is wrong
 *         with the file, by its line; `conflict` while the same tenant is being brought in.
 */
export async function importTenant(job: TransferJob, wanted: Wanted): Promise<TransferRow> {
  const lines = linesOf(wanted.body, wanted.maxBytes, LINE_MAX_BYTES);
  const { header, text, passphrase } = await opening(lines);
  const wrapper = await wrapperOf(header, passphrase);
  await demandVacant(job.platform, header.tenant, wanted.slug ?? "", job.now());
  const of = { tenantId: header.tenant, kind: "import", requestedBy: wanted.requestedBy } as const;
  const transfer = await beginTransfer(job.platform, of, job.now());
  try {
    await sweepArrived(job, header.tenant); // what an earlier one left
    const run = await newRun(job, transfer, wanted.slug, wrapper);
    count(run, text);
    await takeAll(run, lines);
    return {
      ...transfer,
      status: "done",
      lines: run.lines,
      sizeBytes: run.sizeBytes,
      sha256: run.digest.hex(),
    };
  } catch (error) {
    await giveUp(job, transfer, error);
    throw error;
  }
}

/** I4, for cron. Exports that stand still have only their record to be ended. */
export async function endStalled(job: TransferJob, limit: number): Promise<number> {
  const stillMs = job.now() - STALLED_MS;
  const stalled = await stalledTransfers(job.platform, stillMs, limit);
  for (const transfer of stalled) await giveUp(job, transfer, undefined, stillMs);
  return stalled.length;
}

async function giveUp(
  job: TransferJob,
  transfer: TransferRow,
  error: unknown,
  stillMs?: number,
): Promise<void> {
  const known = error instanceof Problem ? error.data.detail : "it was broken off";
  try {
    // The record first: from then on a carrier that was only slow can no longer land the tenant.
    const ended = { status: "failed", error: known } as const;
    const mine = await reportTransfer(job.platform, transfer, ended, job.now(), stillMs);
    if (mine && transfer.kind === "import") await sweepArrived(job, transfer.tenantId);
  } catch (fault) {
    logFault("an import that was given up is not swept yet", fault);
  }
}

type Opening = {
  readonly header: Header;
  /** The header's own line: the digest begins with it. */
  readonly text: string;
  readonly passphrase: string | undefined;
};

const WithPassphrase = z.strictObject({ passphrase: Passphrase });

/** The header; before it may stand a line with the passphrase, which is no part of the file. */
async function opening(lines: AsyncGenerator<Numbered, void>): Promise<Opening> {
  let line = await lines.next();
  if (line.done) throw invalid(1, "the file is empty");
  const before = WithPassphrase.safeParse(parsed(line.value));
  if (before.success) line = await lines.next();
  if (line.done) throw invalid(2, "the file ends here");
  const header = Header.safeParse(parsed(line.value));
  if (!header.success || !isId("tenant", header.data.tenant)) {
    throw invalid(line.value.number, "is no header of an exported tenant");
  }
  return { header: header.data, text: line.value.text, passphrase: before.data?.passphrase };
}

async function wrapperOf(
  { secrets, tenant, check }: Header,
  passphrase: string | undefined,
): Promise<Wrapper | undefined> {
  if (secrets === "left_out") return undefined;
  if (passphrase === undefined)
    throw invalid(1, "its secrets need the passphrase, in a first line");
  const wrapper = await createWrapper(stretch, passphrase, tenant);
  if (wrapper.check !== check) throw invalid(1, "is not the passphrase of this file");
  return wrapper;
}
