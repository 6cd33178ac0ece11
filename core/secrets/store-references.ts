/** Who names which secret: versions of agents by their specs, providers by their keys. */
import { type SQL, and, asc, eq, inArray, isNotNull, notExists } from "drizzle-orm";
import { liveAgents } from "../agents/live.ts";
import { agent } from "../agents/table.ts";
import type { TenantScope } from "../db/scope.ts";
import { agentEnvironment } from "../deployments/table.ts";
import type { ProblemPlace } from "../problem.ts";
import { provider } from "../providers/table.ts";
import type { SealedSecret } from "./contract.ts";
import { secret, secretReference, secretVersion } from "./table.ts";

/** Those of `names` that the tenant has. */
export async function knownSecrets(
  scope: TenantScope,
  names: readonly string[],
): Promise<readonly string[]> {
  if (names.length === 0) return [];
  const rows = await scope.db
    .select({ name: secret.name })
    .from(secret)
    .where(and(eq(secret.tenantId, scope.tenantId), inArray(secret.name, [...names])));
  return rows.map(({ name }) => name);
}

/** The values to send now, sealed; a name that is missing in the answer was deleted. */
export async function sealedSecrets(
  scope: TenantScope,
  names: readonly string[],
): Promise<readonly SealedSecret[]> {
  if (names.length === 0) return [];
  const rows = await scope.db
    .select({
      id: secret.id,
      name: secret.name,
      current: secret.version,
      version: secretVersion.version,
      versionId: secretVersion.id,
      sealed: secretVersion.sealed,
    })
    .from(secret)
    .innerJoin(
      secretVersion,
      and(eq(secretVersion.tenantId, secret.tenantId), eq(secretVersion.secretId, secret.id)),
    )
    .where(
      and(
        eq(secret.tenantId, scope.tenantId),
        inArray(secret.name, [...names]),
        isNotNull(secretVersion.sealed),
      ),
    )
    .orderBy(asc(secretVersion.version));
  return [...Map.groupBy(rows, ({ id }) => id).values()].flatMap((versions) => {
    const newest = versions.find(({ version, current }) => version === current);
    if (newest === undefined || newest.sealed === null) return [];
    const { id, name, versionId, sealed } = newest;
    const earlier = versions.flatMap((it) =>
      it === newest || it.sealed === null ? [] : [{ versionId: it.versionId, sealed: it.sealed }],
    );
    return [{ id, name, versionId, sealed, earlier }];
  });
}

/** Nothing that is live, and no provider, names the secret. */
export function notInUse(scope: TenantScope, name: string): SQL | undefined {
  return and(notExists(liveUses(scope, name)), notExists(providerUses(scope, name)));
}

/** What `notInUse` has found, for whoever asks. */
export async function usersOf(scope: TenantScope, name: string): Promise<readonly ProblemPlace[]> {
  const [agents, providers] = await scope.db.batch([
    liveUses(scope, name).limit(20),
    providerUses(scope, name).limit(20),
  ]);
  return [
    ...agents.map(({ slug, environment }) => ({
      pointer: `/agents/${slug}`,
      detail: `is live with it in ${environment}`,
    })),
    ...providers.map(({ slug }) => ({ pointer: `/providers/${slug}`, detail: "its key" })),
  ];
}

function liveUses(scope: TenantScope, name: string) {
  return scope.db
    .select({ slug: agent.slug, environment: agentEnvironment.environment })
    .from(secretReference)
    .innerJoin(
      agentEnvironment,
      and(
        eq(agentEnvironment.tenantId, secretReference.tenantId),
        eq(agentEnvironment.versionId, secretReference.versionId),
      ),
    )
    .innerJoin(
      agent,
      and(eq(agent.tenantId, agentEnvironment.tenantId), eq(agent.id, agentEnvironment.agentId)),
    )
    .where(
      and(
        liveAgents(scope),
        eq(secretReference.tenantId, scope.tenantId),
        eq(secretReference.name, name),
      ),
    );
}

function providerUses(scope: TenantScope, name: string) {
  return scope.db
    .select({ slug: provider.slug })
    .from(provider)
    .where(and(eq(provider.tenantId, scope.tenantId), eq(provider.secretName, name)));
}
