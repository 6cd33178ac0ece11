import { type SQL, and, asc, eq, exists, gt, sql } from "drizzle-orm";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { agentEnvironment } from "../deployments/table.ts";
import { newId } from "../ids.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import type { CreateProvider, Provider, ProviderPatch, SealProviderKey } from "./contract.ts";
import { provider } from "./table.ts";

/**
 * @throws Problem `already_exists`
 */
export async function createProvider(
  scope: TenantScope,
  input: CreateProvider,
  seal: SealProviderKey,
  nowMs: number,
): Promise<Provider> {
  const { db, tenantId } = scope;
  const id = newId("provider", nowMs);
  const change = newId("event", nowMs);
  const row = {
    tenantId,
    id,
    slug: input.slug,
    kind: input.kind,
    baseUrl: input.base_url,
    sealedKey:
      input.api_key === undefined ? null : await seal({ tenantId, providerId: id }, input.api_key),
    revision: 1,
    lastChangeId: change,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  const [[made]] = await db.batch([
    db.insert(provider).values(row).onConflictDoNothing().returning(),
    bumpGenerations(scope, changedBy(scope, id, change), nowMs),
  ]);
  if (made === undefined) {
    throw new Problem("already_exists", "the slug is taken", {
      errors: [{ pointer: "/slug", detail: "taken" }],
    });
  }
  return toProvider(made);
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
 * @throws Problem `not_found` | `version_conflict`
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
  const change = newId("event", nowMs);
  const [[row]] = await db.batch([
    db
      .update(provider)
      .set({
        ...(patch.base_url === undefined ? {} : { baseUrl: patch.base_url }),
        ...(patch.api_key === undefined
          ? {}
          : {
              sealedKey:
                patch.api_key === null
                  ? null
                  : await seal({ tenantId, providerId: id }, patch.api_key),
            }),
        revision: revision + 1,
        lastChangeId: change,
        updatedAtMs: nowMs,
      })
      .where(and(one(scope, id), eq(provider.revision, revision)))
      .returning(),
    bumpGenerations(scope, changedBy(scope, id, change), nowMs),
  ]);
  if (row !== undefined) return toProvider(row);
  await getProvider(scope, id); // throws not_found when that is the reason
  throw new Problem("version_conflict", `the provider is no longer at revision ${revision}`);
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
  // The generations first: after the delete there is no row left to find.
  const [, [row]] = await db.batch([
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

/**
 * A new generation for every pointer of the tenant, also for one nothing is live at yet: a build
 * under way has read the old provider, and finds at its swap that it must build again.
 */
function bumpGenerations(scope: TenantScope, changed: SQL, nowMs: number) {
  return scope.db
    .update(agentEnvironment)
    .set({
      generation: sql`${agentEnvironment.allocated} + 1`,
      allocated: sql`${agentEnvironment.allocated} + 1`,
      updatedAtMs: nowMs,
    })
    .where(and(eq(agentEnvironment.tenantId, scope.tenantId), changed));
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
    has_key: row.sealedKey !== null,
    revision: row.revision,
    created_at: rfc3339(row.createdAtMs),
  };
}
