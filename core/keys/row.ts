/** A key's row as others see it. Reads nothing. */
import { rfc3339 } from "../clock.ts";
import type { Meter } from "../limits/contract.ts";
import type { Key } from "./contract.ts";
import type { key } from "./table.ts";

export type KeyTableRow = typeof key.$inferSelect;

export function toKey(row: KeyTableRow): Key {
  return {
    id: row.id,
    name: row.name,
    start: row.start,
    scopes: [...row.scopes],
    project_id: row.projectId,
    agent_id: row.agentId,
    environment: row.environment,
    owner_id: row.ownerId,
    enabled: row.disabledAtMs === null,
    status: statusOf(row),
    allowed_origins: row.allowedOrigins && [...row.allowedOrigins],
    allowed_ips: row.allowedIps && [...row.allowedIps],
    rate_limits:
      row.rateLimits?.map(({ limit, periodMs }) => ({ limit, period_seconds: periodMs / 1000 })) ??
      null,
    credits: row.credits && creditsOf(row.credits),
    metadata: { ...row.metadata },
    rotated_from: row.rotatedFrom,
    rotated_to: row.rotatedTo,
    revision: revisionOf(row),
    created_by: row.createdBy,
    created_at: rfc3339(row.createdAtMs),
    updated_at: rfc3339(row.updatedAtMs ?? row.createdAtMs),
    expires_at: row.expiresAtMs === null ? null : rfc3339(row.expiresAtMs),
    revoked_at: row.revokedAtMs === null ? null : rfc3339(row.revokedAtMs),
  };
}

export function revisionOf({ revision }: Pick<KeyTableRow, "revision">): number {
  return revision ?? 1;
}

/** What the tenant's gate counts for this key; undefined for one that has no limits of its own. */
export function meterOf(
  row: Pick<KeyTableRow, "id" | "meterId" | "rateLimits" | "credits">,
): Meter | undefined {
  if (row.rateLimits === null && row.credits === null) return undefined;
  return { subject: row.meterId ?? row.id, rates: row.rateLimits ?? [], credits: row.credits };
}

function statusOf({ revokedAtMs, disabledAtMs }: KeyTableRow): Key["status"] {
  if (revokedAtMs !== null) return "revoked";
  return disabledAtMs === null ? "active" : "disabled";
}

function creditsOf({ units, refill }: NonNullable<KeyTableRow["credits"]>): Key["credits"] {
  const interval = refill && {
    amount: refill.amount,
    interval_seconds: refill.intervalMs / 1000,
  };
  return { budget: units, refill: interval };
}
