import { type SQL, and, asc, eq, exists, gt } from "drizzle-orm";
import { auditRow, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { bumpGenerations } from "../deployments/store-generations.ts";
import { newId } from "../ids.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import { knownSecrets } from "../secrets/store-references.ts";
import { notCreated, withinQuota } from "../tiers/store.ts";
import type { CreateProvider, Provider, ProviderPatch, SealProviderKey } from "./contract.ts";
import { provider } from "./table.ts";

/**
 * @throws Problem `already_exists` | `quota_exceeded` | `invalid` for a secret the tenant has not
 */
export async function createProvider(
  scope: TenantScope,
  input: CreateProvider,
  seal: SealProviderKey,
  nowMs: number,
): Promise<Provider> {
  const { db, tenantId } = scope;
  await demandSecret(scope, input.api_key_secret);
  const id = newId("provider", nowMs);
  const fact = { action: "provider.created", kind: "provider", id, after: told(input) };
  const entry = await auditRow(scope, fact, nowMs);
  const row = {
    tenantId,
    id,
    slug: input.slug,
    kind: input.kind,
    baseUrl: input.base_url,
    sealedKey:
      input.api_key === undefined ? null : await seal({ tenantId, providerId: id }, input.api_key),
    revision: 1,
    lastChangeId: entry.id,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    secretName: input.api_key_secret ?? null,
  };
  const quota = withinQuota(scope, "providers");
  const [, [made]] = await db.batch([
    quota.hold,
    quota.insert(provider, row).onConflictDoNothing().returning(),
    bumpGenerations(scope, changedBy(scope, id, entry.id), nowMs),
    recordedIfChanged(scope, entry, provider, one(scope, id)),
  ]);
  if (made !== undefined) return toProvider(made);
  const taken = new Problem("already_exists", "the slug is taken", {
    errors: [{ pointer: "/slug", detail: "taken" }],
  });
  const named = and(eq(provider.tenantId, tenantId), eq(provider.slug, input.slug));
  throw await notCreated(scope, "providers", provider, named, taken);
}

/** Providers in the order they were made. */
export async function listProviders(scope: TenantScope, page: PageQuery): Promise<Page<Provider>> {
  const after = idAfter("provider", page.cursor);
  const rows = await scope.db
    .select()
    .from(provider)
    .where(
      and(
        eq(provider.tenantId, scope.tenantId),
        after === undefined ? undefined : gt(provider.id, after),
      ),
    )
    .orderBy(asc(provider.id))
    .limit(page.limit + 1);
  return pageOf(rows.map(toProvider), page.limit, (row) => row.id);
}

/** @throws Problem `not_found` */
export async function getProvider(scope: TenantScope, id: string): Promise<Provider> {
  const [row] = await scope.db.select().from(provider).where(one(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such provider");
  return toProvider(row);
}

/** Slugs of the tenant's providers: what a model reference may start with, beside `local`. */
export async function providerSlugs(scope: TenantScope): Promise<readonly string[]> {
  const rows = await scope.db
    .select({ slug: provider.slug })
    .from(provider)
    .where(eq(provider.tenantId, scope.tenantId));
  return rows.map((row) => row.slug);
}

/**
 * Change where a provider is or its key, if it is still at `revision`. What is live gets a new
 * generation in the same batch, so every object pulls the new key before its next run.
 *
 * @throws Problem `not_found` | `version_conflict` | `invalid` for a secret the tenant has not, and
 *         for another origin without the key it is to be sent
 */
export async function patchProvider(
  scope: TenantScope,
  id: string,
  revision: number,
  patch: ProviderPatch,
  seal: SealProviderKey,
  nowMs: number,
): Promise<Provider> {
  const { db, tenantId } = scope;
  await demandSecret(scope, patch.api_key_secret);
  const fact = { action: "provider.changed", kind: "provider", id, after: told(patch) };
  const entry = await auditRow(scope, fact, nowMs);
  const key =
    typeof patch.api_key === "string"
      ? await seal({ tenantId, providerId: id }, patch.api_key)
      : null;
  const changesKey = patch.api_key !== undefined || patch.api_key_secret !== undefined;
  if (patch.base_url !== undefined && !changesKey)
    await demandSameOrigin(scope, id, patch.base_url);
  const [[row]] = await db.batch([
    db
      .update(provider)
      .set({
        ...(patch.base_url === undefined ? {} : { baseUrl: patch.base_url }),
        ...(changesKey ? { sealedKey: key, secretName: patch.api_key_secret ?? null } : {}),
        revision: revision + 1,
        lastChangeId: entry.id,
        updatedAtMs: nowMs,
      })
      .where(and(one(scope, id), eq(provider.revision, revision)))
      .returning(),
    bumpGenerations(scope, changedBy(scope, id, entry.id), nowMs),
    recordedIfChanged(scope, entry, provider, one(scope, id)),
  ]);
  if (row !== undefined) return toProvider(row);
  await getProvider(scope, id); // throws not_found when that is the reason
  throw new Problem("version_conflict", `the provider is no longer at revision ${revision}`);
}

/** A stored key goes to nobody it was not given for: for another origin it is given again. */
async function demandSameOrigin(scope: TenantScope, id: string, baseUrl: string): Promise<void> {
  const before = await getProvider(scope, id);
  if (!before.has_key || new URL(before.base_url).origin === new URL(baseUrl).origin) return;
  throw new Problem("invalid", "another origin needs its key given again", {
    errors: [{ pointer: "/api_key", detail: "or api_key_secret; null for none" }],
  });
}

/**
 * Delete if still at `revision`; the sealed key goes with the row.
 *
 * @throws Problem `not_found` | `version_conflict`
 */
export async function deleteProvider(
  scope: TenantScope,
  id: string,
  revision: number,
  nowMs: number,
): Promise<void> {
  const { db } = scope;
  const current = and(one(scope, id), eq(provider.revision, revision));
  const fact = { action: "provider.deleted", kind: "provider", id };
  const entry = await auditRow(scope, fact, nowMs);
  // What looks for the row first: after the delete there is none left to find.
  const [, , [row]] = await db.batch([
    recordedWhere(scope, entry, provider, current),
    bumpGenerations(
      scope,
      exists(db.select({ id: provider.id }).from(provider).where(current)),
      nowMs,
    ),
    db.delete(provider).where(current).returning({ id: provider.id }),
  ]);
  if (row !== undefined) return;
  await getProvider(scope, id); // throws not_found when that is the reason
  throw new Problem("version_conflict", `the provider is no longer at revision ${revision}`);
}

/** @throws Problem `invalid` when it is named and the tenant has not got it. */
async function demandSecret(scope: TenantScope, name: string | null | undefined): Promise<void> {
  if (typeof name !== "string" || (await knownSecrets(scope, [name])).length > 0) return;
  throw new Problem("invalid", "the request does not fit its schema", {
    errors: [{ pointer: "/api_key_secret", detail: "no such secret" }],
  });
}

/** A change as the audit may know it: that there is a key, not which. */
function told({ api_key: key, ...rest }: CreateProvider | ProviderPatch) {
  return { ...rest, ...(key === undefined ? {} : { has_key: key !== null }) };
}

function changedBy(scope: TenantScope, id: string, change: string): SQL {
  const changed = and(one(scope, id), eq(provider.lastChangeId, change));
  return exists(scope.db.select({ id: provider.id }).from(provider).where(changed));
}

function one(scope: TenantScope, id: string): SQL | undefined {
  return and(eq(provider.tenantId, scope.tenantId), eq(provider.id, id));
}

function toProvider(row: typeof provider.$inferSelect): Provider {
  return {
    id: row.id,
    slug: row.slug,
    kind: row.kind,
    base_url: row.baseUrl,
    has_key: row.sealedKey !== null || row.secretName !== null,
    api_key_secret: row.secretName,
    revision: row.revision,
    created_at: rfc3339(row.createdAtMs),
  };
}
