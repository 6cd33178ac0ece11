/** What an object installs: rebuilt from the version and the providers, never stored twice. */
import { type SQL, and, eq, inArray, isNotNull } from "drizzle-orm";
import { AgentSpec, modelsOf, secretNamesOf } from "../agents/spec.ts";
import { agent } from "../agents/table.ts";
import { liveAgents } from "../agents/live.ts";
import { releaseContent } from "../content/store.ts";
import { dataKey } from "../data-keys/table.ts";
import type { TenantScope } from "../db/scope.ts";
import type { Build } from "../deployments/contract.ts";
import type { Release, ReleaseProvider } from "../deployments/release.ts";
import { agentEnvironment } from "../deployments/table.ts";
import { rulesFor } from "../limits/store-rules.ts";
import type { Price } from "../models/contract.ts";
import { Problem } from "../problem.ts";
import { defaultProjectId } from "../projects/contract.ts";
import { provider } from "../providers/table.ts";
import { ensureTag } from "../runtime-objects/store.ts";
import { runtimeObject } from "../runtime-objects/table.ts";
import type { WrappedKey } from "../seal/contract.ts";
import { sealedUnder } from "../seal/seal.ts";
import { sealedSecrets } from "../secrets/store-references.ts";
import { version } from "../versions/table.ts";

/** Micro-USD per million tokens of `provider/model`; undefined when it has no price. */
export type PriceOf = (model: string) => Price | undefined;

/**
 * The release of a build for one replica. Allocates the replica's tag the first time.
 *
 * @throws Problem `not_found` when the agent was deleted meanwhile.
 */
export async function buildRelease(
  scope: TenantScope,
  build: Build,
  replica: number,
  priceOf: PriceOf,
  nowMs: number,
): Promise<Release> {
  const { deployment, versionId, generation } = build;
  const { id: deploymentId, agent_id: agentId, environment } = deployment;
  const tag = await ensureTag(scope, { agentId, environment, replica }, nowMs);
  const source = await sourceOf(scope, agentId, eq(version.id, versionId));
  if (source === undefined) throw new Problem("not_found", "no such agent or version");
  const objects = build.objects === 1 ? {} : { objects: build.objects };
  const place = { environment, replica, tag, generation, deploymentId, versionId, ...objects };
  return assemble(scope, agentId, source, place, priceOf);
}

/**
 * The release that is live for an object, as it is now: what an object pulls when it is behind.
 *
 * @returns  undefined when nothing is live there, or the agent was deleted.
 */
export async function loadRelease(
  scope: TenantScope,
  agentId: string,
  environment: string,
  replica: number,
  priceOf: PriceOf,
): Promise<Release | undefined> {
  const place = await pointerOf(scope, agentId, environment, replica);
  if (place === undefined) return undefined;
  // The pointer was read first: what is read after it is never older than its generation.
  const source = await sourceOf(scope, agentId, eq(version.id, place.versionId));
  return source && assemble(scope, agentId, source, place, priceOf);
}

/**
 * What would be live for an object, were it another version with another spec: with today's
 * providers and secrets, for work that goes on under what it began with. Its generation is that of
 * what is live, and is for whoever keeps it to change.
 *
 * @returns  undefined when nothing is live there, or there is no such version.
 */
export async function loadVersion(
  scope: TenantScope,
  at: { readonly agentId: string; readonly environment: string; readonly replica: number },
  wanted: { readonly version: number; readonly change: (spec: AgentSpec) => AgentSpec },
  priceOf: PriceOf,
): Promise<Release | undefined> {
  const { agentId, environment, replica } = at;
  const pointer = await pointerOf(scope, agentId, environment, replica);
  const source = await sourceOf(scope, agentId, eq(version.number, wanted.version));
  if (pointer === undefined || source === undefined) return undefined;
  const { versionId } = source;
  const changed = { ...source, spec: wanted.change(source.spec) };
  return assemble(scope, agentId, changed, { ...pointer, versionId }, priceOf);
}

async function pointerOf(
  scope: TenantScope,
  agentId: string,
  environment: string,
  replica: number,
): Promise<Place | undefined> {
  const [pointer] = await scope.db
    .select({
      deploymentId: agentEnvironment.deploymentId,
      versionId: agentEnvironment.versionId,
      generation: agentEnvironment.generation,
      homes: agentEnvironment.homes,
      tag: runtimeObject.tag,
    })
    .from(agentEnvironment)
    .innerJoin(
      runtimeObject,
      and(
        eq(runtimeObject.tenantId, agentEnvironment.tenantId),
        eq(runtimeObject.agentId, agentEnvironment.agentId),
        eq(runtimeObject.environment, agentEnvironment.environment),
        eq(runtimeObject.replica, replica),
      ),
    )
    .where(
      and(
        eq(agentEnvironment.tenantId, scope.tenantId),
        eq(agentEnvironment.agentId, agentId),
        eq(agentEnvironment.environment, environment),
      ),
    );
  if (pointer === undefined) return undefined;
  const { deploymentId, versionId, homes, ...rest } = pointer;
  if (deploymentId === null || versionId === null) return undefined;
  const objects = homes === null ? {} : { objects: homes.tags.length };
  return { environment, replica, deploymentId, versionId, ...rest, ...objects };
}

type Source = Pick<
  Release,
  "agentSlug" | "paused" | "versionId" | "version" | "specHash" | "spec"
> & {
  readonly projectId: string;
};
type Place = Pick<
  Release,
  "environment" | "replica" | "tag" | "generation" | "deploymentId" | "versionId" | "objects"
>;

async function sourceOf(
  scope: TenantScope,
  agentId: string,
  which: SQL,
): Promise<Source | undefined> {
  const [row] = await scope.db
    .select({
      agentSlug: agent.slug,
      projectId: agent.projectId,
      pausedAtMs: agent.pausedAtMs,
      versionId: version.id,
      version: version.number,
      specHash: version.specHash,
      spec: version.spec,
    })
    .from(agent)
    .innerJoin(version, and(eq(version.tenantId, agent.tenantId), eq(version.agentId, agent.id)))
    .where(and(liveAgents(scope), eq(agent.id, agentId), which));
  if (row === undefined) return undefined;
  const { pausedAtMs, ...rest } = row;
  const projectId = row.projectId ?? defaultProjectId(scope.tenantId);
  const paused = pausedAtMs === null ? {} : { paused: true as const };
  // What was published under an earlier schema takes the defaults of today's.
  return { ...rest, ...paused, projectId, spec: AgentSpec.parse(row.spec) };
}

/** A provider that is missing here was deleted: the call to it fails, the others go on. */
async function assemble(
  scope: TenantScope,
  agentId: string,
  source: Source,
  place: Place,
  priceOf: PriceOf,
): Promise<Release> {
  const models = modelsOf(source.spec);
  const prices = models.flatMap((model) => {
    const price = priceOf(model);
    return price === undefined ? [] : [[model, price] as const];
  });
  const providers = await providersOf(scope, models);
  const named = providers.flatMap(({ secretName }) =>
    typeof secretName === "string" ? [secretName] : [],
  );
  const names = new Set([...secretNamesOf(source.spec), ...named]);
  const rules = await rulesFor(scope, agentId, source.projectId);
  const secrets = await sealedSecrets(scope, [...names]);
  const content = await releaseContent(scope);
  return {
    tenantId: scope.tenantId,
    agentId,
    ...source,
    ...place,
    providers,
    prices: Object.fromEntries(prices),
    secrets,
    ...(rules === undefined ? {} : { rules }),
    ...(content === undefined ? {} : { content }),
    // Read last: a key that a value needs is there as long as the value is.
    dataKeys: await dataKeysFor(scope, [
      ...providers.map(({ sealedKey }) => sealedKey),
      content?.key ?? null,
      ...secrets.flatMap(({ sealed, earlier }) => [sealed].concat(earlier.map((it) => it.sealed))),
    ]),
  };
}

/** The wrapped data keys that these blobs were sealed under: the object asks nobody for them. */
async function dataKeysFor(
  scope: TenantScope,
  blobs: readonly (string | null)[],
): Promise<readonly WrappedKey[]> {
  const ids = new Set(blobs.flatMap((blob) => (blob === null ? [] : [sealedUnder(blob) ?? ""])));
  if (ids.size === 0) return [];
  const rows = await scope.db
    .select({ id: dataKey.id, wrapped: dataKey.wrapped })
    .from(dataKey)
    .where(and(eq(dataKey.tenantId, scope.tenantId), isNotNull(dataKey.wrapped)));
  return rows.flatMap(({ id, wrapped }) =>
    wrapped !== null && ids.has(id) ? [{ id, wrapped }] : [],
  );
}

async function providersOf(
  scope: TenantScope,
  models: readonly string[],
): Promise<readonly ReleaseProvider[]> {
  const slugs = [...new Set(models.map((model) => model.slice(0, model.indexOf("/"))))];
  return scope.db
    .select({
      id: provider.id,
      slug: provider.slug,
      kind: provider.kind,
      baseUrl: provider.baseUrl,
      sealedKey: provider.sealedKey,
      secretName: provider.secretName,
    })
    .from(provider)
    .where(and(eq(provider.tenantId, scope.tenantId), inArray(provider.slug, slugs)));
}
