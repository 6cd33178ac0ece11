import { and, eq, lt } from "drizzle-orm";
import { rfc3339 } from "../clock.ts";
import type { PlatformScope } from "../db/scope.ts";
import { newId } from "../ids.ts";
import { Problem } from "../problem.ts";
import type { Transfer, TransferKind } from "./contract.ts";
import { transfer } from "./table.ts";

export type TransferRow = typeof transfer.$inferSelect;
export type Progress = Partial<
  Pick<TransferRow, "status" | "lines" | "sizeBytes" | "sha256" | "error">
>;

/**
 * A transfer that is under way.
 *
 * @throws Problem `conflict` when the tenant is being imported already.
 */
export async function beginTransfer(
  platform: PlatformScope,
  wanted: {
    readonly tenantId: string;
    readonly kind: TransferKind;
    readonly requestedBy: string;
  },
  nowMs: number,
): Promise<TransferRow> {
  const counted = { lines: 0, sizeBytes: 0, createdAtMs: nowMs, updatedAtMs: nowMs };
  const [row] = await platform.db
    .insert(transfer)
    .values({ ...wanted, ...counted, id: newId("transfer", nowMs), status: "running" })
    .onConflictDoNothing()
    .returning();
  if (row === undefined) throw new Problem("conflict", "the tenant is being brought in already");
  return row;
}

/**
 * How far it has come. False when it was given up meanwhile: then nothing more may be written.
 *
 * @param stillMs  Only of one that has not moved since: whoever carries it may have just come back.
 */
export async function reportTransfer(
  platform: PlatformScope,
  { tenantId, id }: Pick<TransferRow, "tenantId" | "id">,
  progress: Progress,
  nowMs: number,
  stillMs?: number,
): Promise<boolean> {
  const rows = await platform.db
    .update(transfer)
    .set({ ...progress, updatedAtMs: nowMs })
    .where(
      and(
        eq(transfer.tenantId, tenantId),
        eq(transfer.id, id),
        eq(transfer.status, "running"),
        stillMs === undefined ? undefined : lt(transfer.updatedAtMs, stillMs),
      ),
    )
    .returning({ id: transfer.id });
  return rows.length > 0;
}

/** Transfers that have stood still since `beforeMs`: whoever carried them is gone. */
export async function stalledTransfers(
  platform: PlatformScope,
  beforeMs: number,
  limit: number,
): Promise<readonly TransferRow[]> {
  return platform.db
    .select()
    .from(transfer)
    .where(and(eq(transfer.status, "running"), lt(transfer.updatedAtMs, beforeMs)))
    .limit(limit);
}

/** @throws Problem `not_found` */
export async function getTransfer(platform: PlatformScope, id: string): Promise<Transfer> {
  const [row] = await platform.db.select().from(transfer).where(eq(transfer.id, id));
  if (row === undefined) throw new Problem("not_found", "no such transfer");
  return toTransfer(row);
}

export function toTransfer(row: TransferRow): Transfer {
  return {
    id: row.id,
    tenant_id: row.tenantId,
    kind: row.kind,
    status: row.status,
    lines: row.lines,
    size_bytes: row.sizeBytes,
    sha256: row.sha256,
    error: row.error,
    created_at: rfc3339(row.createdAtMs),
    updated_at: rfc3339(row.updatedAtMs),
  };
}
