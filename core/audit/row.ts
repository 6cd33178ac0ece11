import { rfc3339 } from "../clock.ts";
import { canonical } from "../json/canonical.ts";
import type { AuditEntry, Checkpoint } from "./contract.ts";
import type { audit, auditCheckpoint } from "./table.ts";

/**
 * The wire form, which is what is hashed. Different rows have different forms, whatever somebody
 * wrote into them: a time that is none and a detail that is not ours stand as they are.
 */
export function toEntry(row: typeof audit.$inferSelect): AuditEntry {
  return {
    id: row.id,
    tenant_id: row.tenantId,
    at: timeOf(row.atMs),
    action: row.action,
    actor: { kind: row.actorKind, id: row.actorId },
    address: row.address,
    request_id: row.requestId,
    resource: { kind: row.resourceKind, id: row.resourceId },
    result: row.result,
    before_digest: row.beforeDigest,
    after_digest: row.afterDigest,
    detail: detailOf(row.detail),
    seq: row.seq,
    previous_hash: row.previousHash,
    hash: row.hash,
  };
}

export function toCheckpoint(row: typeof auditCheckpoint.$inferSelect): Checkpoint {
  const { seq, hash, kid, signature } = row;
  return { seq, hash, at: timeOf(row.atMs), kid, signature };
}

function timeOf(epochMs: number): string {
  return Math.abs(epochMs) > LAST_MS ? String(epochMs) : rfc3339(epochMs);
}

/** What a Date can hold. @source ECMA-262 §21.4.1.1 */
const LAST_MS = 8.64e15;

function detailOf(text: string | null): AuditEntry["detail"] {
  if (text === null) return null;
  const value = parsed(text);
  const object = typeof value === "object" && value !== null && !Array.isArray(value);
  // An object, as just checked; its members are whatever they are.
  return object && canonical(value) === text ? (value as Record<string, unknown>) : text;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
