import { type SQL, and, desc, eq, exists, lt, notExists } from "drizzle-orm";
import { oneAgent } from "../agents/live.ts";
import { AgentSpec, secretNamesOf } from "../agents/spec.ts";
import { agent, draft } from "../agents/table.ts";
import { auditRow, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { newId } from "../ids.ts";
import { type Page, type PageQuery, decodeCursor, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import { providerSlugs } from "../providers/store.ts";
import { knownSecrets } from "../secrets/store-references.ts";
import { secretReference } from "../secrets/table.ts";
import type { Version, VersionSummary } from "./contract.ts";
import { specHash } from "./hash.ts";
import { type SpecPorts, validateSpec } from "./validate.ts";
import { version } from "./table.ts";

/**
 * Make the draft at `revision` an immutable version. Content that was published before answers
 * with that version: publishing is idempotent by hash.
 *
 * The number is the agent's `latest_version` plus one, taken and written in one batch that runs
 * only while nobody else has taken it; a loser of that race starts again from what it finds.
 *
 * @param ports  `providers` are those of the platform's own configuration, beside the tenant's.
 * @throws Problem `not_found` | `version_conflict` | `spec_invalid` with pointers into the spec
 */
export async function publishDraft(
  scope: TenantScope,
  agentId: string,
  revision: number,
  ports: SpecPorts,
  nowMs: number,
): Promise<Version> {
  const providers = [...ports.providers, ...(await providerSlugs(scope))];
  for (let race = 0; race < 10; race += 1) {
    const source = await draftAt(scope, agentId, revision);
    // What was drafted under an earlier schema takes the defaults of today's.
    const spec = AgentSpec.parse(source.spec);
    const secrets = await knownSecrets(scope, secretNamesOf(spec).slice(0, 90));
    validateSpec(spec, { ...ports, providers, secrets });
    const hash = await specHash(spec);
    const known = await findByHash(scope, source.agentId, hash);
    if (known !== undefined) return known;
    const made = await insertVersion(scope, { ...source, spec, hash, revision }, nowMs);
    if (made !== undefined) return made;
  }
  throw new Problem("conflict", "too many publishings of this agent at once");
}

/** Newest first, without their specs. @throws Problem `not_found` for the agent */
export async function listVersions(
  scope: TenantScope,
  agentId: string,
  page: PageQuery,
): Promise<Page<VersionSummary>> {
  const before = numberBefore(page.cursor);
  const owner = await agentIdOf(scope, agentId);
  const rows = await scope.db
    .select(SUMMARY)
    .from(version)
    .where(
      and(ofAgent(scope, owner), before === undefined ? undefined : lt(version.number, before)),
    )
    .orderBy(desc(version.number))
    .limit(page.limit + 1);
  return pageOf(rows.map(toSummary), page.limit, (row) => String(row.number));
}

/** @throws Problem `not_found` for the agent or the number */
export async function getVersion(
  scope: TenantScope,
  agentId: string,
  number: number,
): Promise<Version> {
  const owner = await agentIdOf(scope, agentId);
  const [row] = await scope.db
    .select()
    .from(version)
    .where(and(ofAgent(scope, owner), eq(version.number, number)));
  if (row === undefined) throw new Problem("not_found", "no such version");
  return toVersion(row);
}

/** Id and hash of a version, of a deleted agent too: what a receipt names it by. */
export async function findVersionNames(
  scope: TenantScope,
  agentId: string,
  number: number,
): Promise<{ readonly id: string; readonly specHash: string } | undefined> {
  const [row] = await scope.db
    .select({ id: version.id, specHash: version.specHash })
    .from(version)
    .where(and(ofAgent(scope, agentId), eq(version.number, number)));
  return row;
}

type Source = {
  readonly agentId: string;
  readonly latestVersion: number;
  readonly spec: AgentSpec;
};

async function draftAt(scope: TenantScope, agentId: string, revision: number): Promise<Source> {
  const [row] = await scope.db
    .select({
      agentId: agent.id,
      latestVersion: agent.latestVersion,
      spec: draft.spec,
      revision: draft.revision,
    })
    .from(agent)
    .innerJoin(draft, and(eq(draft.tenantId, agent.tenantId), eq(draft.agentId, agent.id)))
    .where(oneAgent(scope, agentId));
  if (row === undefined) throw new Problem("not_found", "no such agent");
  if (row.revision === revision) return row;
  throw new Problem("version_conflict", `the draft is no longer at revision ${revision}`);
}

async function findByHash(
  scope: TenantScope,
  agentId: string,
  hash: string,
): Promise<Version | undefined> {
  const [row] = await scope.db
    .select()
    .from(version)
    .where(and(ofAgent(scope, agentId), eq(version.specHash, hash)));
  return row && toVersion(row);
}

/** The new version; undefined when somebody else published or edited in between. */
async function insertVersion(
  scope: TenantScope,
  source: Source & { readonly hash: string; readonly revision: number },
  nowMs: number,
): Promise<Version | undefined> {
  const { db, tenantId } = scope;
  const { agentId, latestVersion, spec } = source;
  const row = {
    tenantId,
    id: newId("version", nowMs),
    agentId,
    number: latestVersion + 1,
    specHash: source.hash,
    spec,
    createdAtMs: nowMs,
  };
  const fact = { action: "version.published", kind: "version", id: row.id, after: toVersion(row) };
  const detail = { agent_id: agentId, number: row.number };
  const entry = await auditRow(scope, { ...fact, detail }, nowMs);
  const change = entry.id;
  const written = and(eq(version.tenantId, tenantId), eq(version.id, row.id));
  const sameDraft = db
    .select({ agentId: draft.agentId })
    .from(draft)
    .where(
      and(
        eq(draft.tenantId, tenantId),
        eq(draft.agentId, agentId),
        eq(draft.revision, source.revision),
      ),
    );
  const sameHash = db
    .select({ id: version.id })
    .from(version)
    .where(and(ofAgent(scope, agentId), eq(version.specHash, source.hash)));
  const mine = oneAgent(scope, agentId);
  const [, rows] = await db.batch([
    db
      .update(agent)
      .set({ latestVersion: row.number, lastChangeId: change })
      .where(
        and(mine, eq(agent.latestVersion, latestVersion), exists(sameDraft), notExists(sameHash)),
      ),
    insertWhere(db, version, row, agent, and(mine, eq(agent.lastChangeId, change))).returning(),
    recordedWhere(scope, entry, version, written),
    ...secretNamesOf(spec).map((name) =>
      insertWhere(db, secretReference, { tenantId, versionId: row.id, name }, version, written),
    ),
  ]);
  const [made] = rows;
  return made && toVersion(made);
}

async function agentIdOf(scope: TenantScope, idOrSlug: string): Promise<string> {
  const [row] = await scope.db
    .select({ id: agent.id })
    .from(agent)
    .where(oneAgent(scope, idOrSlug));
  if (row === undefined) throw new Problem("not_found", "no such agent");
  return row.id;
}

function ofAgent({ tenantId }: TenantScope, agentId: string): SQL | undefined {
  return and(eq(version.tenantId, tenantId), eq(version.agentId, agentId));
}

function numberBefore(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  const text = decodeCursor(cursor);
  if (/^[1-9][0-9]{0,9}$/.test(text)) return Number(text);
  throw new Problem("bad_request", "the cursor is not one of this list's", {
    errors: [{ pointer: "cursor", detail: "not a cursor of this list" }],
  });
}

const SUMMARY = {
  id: version.id,
  agentId: version.agentId,
  number: version.number,
  specHash: version.specHash,
  createdAtMs: version.createdAtMs,
};

function toSummary(row: Omit<typeof version.$inferSelect, "spec" | "tenantId">): VersionSummary {
  return {
    id: row.id,
    agent_id: row.agentId,
    number: row.number,
    spec_hash: row.specHash,
    created_at: rfc3339(row.createdAtMs),
  };
}

function toVersion(row: typeof version.$inferSelect): Version {
  return { ...toSummary(row), spec: row.spec };
}
