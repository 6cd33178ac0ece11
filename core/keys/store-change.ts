/**
 * Changes of a key that exists.
 *
 * K1  A change is made at the revision it was meant for, or not at all: of two racing ones one wins.
 * K2  Who changes what a key may, must be able to mint the key as it then is; so a weak key cannot
 *     make itself a strong one's holder, nor a strong one weaker in its rules.
 * K3  A rotated key has one successor; the successor's row is written only where the predecessor
 *     names it. It goes on with the same counters, so that rotating brings no credits.
 */
import { type SQL, and, eq, isNull } from "drizzle-orm";
import { auditRow, recordedIfChanged } from "../audit/store-record.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import type { Principal } from "../principals/contract.ts";
import { Problem } from "../problem.ts";
import type { IssuedKey, Key, KeyPatch, RotateKey } from "./contract.ts";
import { type KeyTableRow, revisionOf, toKey } from "./row.ts";
import { expiryOf, type KeySettings, settingsOf } from "./store-settings.ts";
import { demandMintable, forgeKey, keyRowOf, oneKey, ownRowOf } from "./store.ts";
import { key } from "./table.ts";

/**
 * Change what a key may, if it is still at `revision` (K1).
 *
 * @throws Problem `not_found` | `version_conflict` | `conflict` for a key that was revoked or
 *         rotated | `forbidden` with the places that go too far | `invalid` as `settingsOf`
 */
export async function patchKey(
  scope: TenantScope,
  principal: Principal,
  id: string,
  revision: number,
  patch: KeyPatch,
  nowMs: number,
): Promise<Key> {
  const row = await openRow(scope, id);
  if (revisionOf(row) !== revision) throw stale(revision);
  const settings = await settingsOf(scope, patch, revision + 1, nowMs);
  const next = { ...row, ...settings, revision: revision + 1, updatedAtMs: nowMs };
  if (!harmless(patch)) await demandMintable(scope, principal, next); // K2
  if (await change(scope, row, next, "key.changed", nowMs)) return toKey(next);
  await openRow(scope, id); // throws what is the reason, if not the revision
  throw stale(revision);
}

/**
 * Replace a key by a new one of the same rights and counters; the old one ends after the grace.
 *
 * @throws Problem `not_found` | `conflict` for a key that was revoked or rotated before | `forbidden`
 *         as for minting the new key, and for another person's key | `invalid` for an end that has
 *         passed
 */
export async function rotateKey(
  scope: TenantScope,
  principal: Principal,
  id: string,
  { grace_seconds, expires_at }: RotateKey,
  nowMs: number,
): Promise<IssuedKey> {
  const row = await openRow(scope, id);
  if (row.expiresAtMs !== null && row.expiresAtMs <= nowMs) throw closed("has expired");
  const expiresAtMs = expiryOf(expires_at, nowMs);
  const wish = {
    ...successorOf(row),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    createdBy: principal.id,
  };
  await demandOwn(scope, principal, row);
  await demandMintable(scope, principal, wish); // K2
  const { row: made, issued } = await forgeKey(wish, nowMs);
  const graceEndsMs = nowMs + grace_seconds * 1000;
  const old = {
    ...row,
    expiresAtMs: Math.min(row.expiresAtMs ?? graceEndsMs, graceEndsMs),
    rotatedTo: made.id,
    revision: revisionOf(row) + 1,
    updatedAtMs: nowMs,
  };
  // K3
  const won = and(oneKey(scope, id), eq(key.rotatedTo, made.id));
  const stored = await change(scope, row, old, "key.rotated", nowMs, [
    insertWhere(scope.db, key, made, key, won),
  ]);
  if (!stored) throw closed("was changed meanwhile");
  return issued;
}

/** What a key's successor has of it: all but its name in the line and its secret. */
function successorOf(row: KeyTableRow) {
  const { tenantId, name, scopes, projectId, agentId, environment, ownerId } = row;
  const { allowedOrigins, allowedIps, rateLimits, credits, metadata, disabledAtMs } = row;
  return {
    tenantId,
    name,
    scopes,
    projectId,
    agentId,
    environment,
    ownerId,
    allowedOrigins,
    allowedIps,
    rateLimits,
    credits,
    metadata,
    disabledAtMs,
    expiresAtMs: row.expiresAtMs,
    rotatedFrom: row.id,
    meterId: row.meterId ?? row.id,
    // Revisions of a line go on, and with them those of its credits.
    revision: revisionOf(row) + 1,
  };
}

/** A person's key gets a new secret from that person alone. */
async function demandOwn(
  scope: TenantScope,
  principal: Principal,
  { ownerId }: KeyTableRow,
): Promise<void> {
  if (ownerId === null || principal.id === ownerId) return;
  if ((await ownRowOf(scope, principal))?.ownerId === ownerId) return;
  throw new Problem("forbidden", "a personal key is its owner's to rotate");
}

/**
 * The change, its entry, and what depends on it, in one batch.
 *
 * @returns  false when the key was no longer as `row` has it
 */
async function change(
  scope: TenantScope,
  row: KeyTableRow,
  next: KeyTableRow,
  action: string,
  nowMs: number,
  dependents: readonly ReturnType<typeof insertWhere>[] = [],
): Promise<boolean> {
  const { db } = scope;
  const fact = { action, kind: "key", id: row.id, before: toKey(row), after: toKey(next) };
  const detail = next.rotatedTo === null ? {} : { detail: { rotated_to: next.rotatedTo } };
  const entry = await auditRow(scope, { ...fact, ...detail }, nowMs);
  const [[changed]] = await db.batch([
    db
      .update(key)
      .set({ ...columnsOf(next), lastChangeId: entry.id })
      .where(and(oneKey(scope, row.id), unchangedSince(row)))
      .returning({ id: key.id }),
    recordedIfChanged(scope, entry, key, oneKey(scope, row.id)),
    ...dependents,
  ]);
  return changed !== undefined;
}

function columnsOf(next: KeyTableRow): Partial<KeyTableRow> & Partial<KeySettings> {
  const { tenantId: _tenant, id: _id, secretHash: _hash, start: _start, ...columns } = next;
  return columns;
}

/** A row from before there were revisions is at 1. */
function unchangedSince({ revision }: KeyTableRow): SQL | undefined {
  const same = revision === null ? isNull(key.revision) : eq(key.revision, revision);
  return and(same, isNull(key.revokedAtMs), isNull(key.rotatedTo));
}

/** A key that can still be changed. */
async function openRow(scope: TenantScope, id: string): Promise<KeyTableRow> {
  const row = await keyRowOf(scope, id);
  if (row.revokedAtMs !== null) throw closed("was revoked");
  if (row.rotatedTo !== null) throw closed("was rotated");
  return row;
}

/** Names and switching off give the key nothing. */
function harmless({ name: _name, metadata: _metadata, enabled, ...rest }: KeyPatch): boolean {
  return enabled !== true && Object.keys(rest).length === 0;
}

function closed(reason: string): Problem {
  return new Problem("conflict", `the key ${reason}`);
}

function stale(revision: number): Problem {
  return new Problem("version_conflict", `the key is no longer at revision ${revision}`);
}
