/** Names in conditions and narrowings, as people write them, to the ids they are kept by. */
import { and, eq, inArray, isNull } from "drizzle-orm";
import { agent } from "../agents/table.ts";
import type { TenantScope } from "../db/scope.ts";
import { environment } from "../environments/table.ts";
import { isId } from "../ids.ts";
import type { Conditions } from "../principals/grants.ts";
import { Problem, type ProblemPlace } from "../problem.ts";
import { DEFAULT_PROJECT, defaultProjectId } from "../projects/contract.ts";
import { project } from "../projects/table.ts";
import type { Statement } from "./contract.ts";

/** Names to keep by name as written; undefined where there is nothing of that name. */
type Directory = {
  readonly projects: ReadonlyMap<string, string>;
  readonly agents: ReadonlyMap<string, string>;
  readonly environments: ReadonlyMap<string, string>;
};

type Listed = keyof Directory;

const LISTS = ["projects", "agents", "environments"] as const;
const NOUN = { projects: "project", agents: "agent", environments: "environment" } as const;

/**
 * Statements with every project and agent by id.
 *
 * @throws Problem `invalid` with the places of names the tenant has not.
 */
export async function resolveStatements(
  scope: TenantScope,
  statements: readonly Statement[],
): Promise<readonly Statement[]> {
  const directory = await directoryOf(
    scope,
    statements.flatMap(({ when }) => (when === undefined ? [] : [when])),
  );
  const faults: ProblemPlace[] = [];
  const resolved = statements.map((statement, index) => {
    const { when } = statement;
    if (when === undefined) return statement;
    const lists: { [name in Listed]?: string[] } = {};
    for (const name of LISTS) {
      const ids = when[name]?.map((one, place) => {
        const id = directory[name].get(one);
        if (id !== undefined) return id;
        const pointer = `/statements/${index}/when/${name}/${place}`;
        faults.push({ pointer, detail: `no such ${NOUN[name]}` });
        return one;
      });
      if (ids !== undefined) lists[name] = [...new Set(ids)];
    }
    return { ...statement, when: { ...when, ...lists } };
  });
  if (faults.length > 0) throw invalid(faults);
  return resolved;
}

export type Place = {
  readonly project?: string | undefined;
  readonly agent?: string | undefined;
  readonly environment?: string | undefined;
};

/**
 * A narrowing by ids; null means any.
 *
 * @throws Problem `invalid` with the places of names the tenant has not.
 */
export async function resolvePlace(scope: TenantScope, place: Place) {
  const listed = (name: string | undefined) => (name === undefined ? [] : [name]);
  const directory = await directoryOf(scope, [
    {
      projects: listed(place.project),
      agents: listed(place.agent),
      environments: listed(place.environment),
    },
  ]);
  const faults: ProblemPlace[] = [];
  const idOf = (list: Listed, name: string | undefined): string | null => {
    if (name === undefined) return null;
    const id = directory[list].get(name);
    if (id === undefined)
      faults.push({ pointer: `/${NOUN[list]}`, detail: `no such ${NOUN[list]}` });
    return id ?? null;
  };
  const found = {
    projectId: idOf("projects", place.project),
    agentId: idOf("agents", place.agent),
    environment: idOf("environments", place.environment),
  };
  if (faults.length > 0) throw invalid(faults);
  return found;
}

async function directoryOf(
  scope: TenantScope,
  conditions: readonly Pick<Conditions, Listed>[],
): Promise<Directory> {
  const names = (list: Listed) => [...new Set(conditions.flatMap((one) => one[list] ?? []))];
  const [projects, agents, environments] = await Promise.all([
    inChunks(names("projects"), (some) => projectsNamed(scope, some)),
    inChunks(names("agents"), (some) => agentsNamed(scope, some)),
    inChunks(names("environments"), (some) => environmentsNamed(scope, some)),
  ]);
  return { projects, agents, environments };
}

async function projectsNamed(scope: TenantScope, names: readonly string[]) {
  const { db, tenantId } = scope;
  const id = defaultProjectId(tenantId);
  const rows = await db
    .select({ id: project.id, slug: project.slug })
    .from(project)
    .where(and(eq(project.tenantId, tenantId), named(project, names)));
  return [{ id, slug: DEFAULT_PROJECT }, ...rows];
}

function agentsNamed({ db, tenantId }: TenantScope, names: readonly string[]) {
  return db
    .select({ id: agent.id, slug: agent.slug })
    .from(agent)
    .where(and(eq(agent.tenantId, tenantId), isNull(agent.deletedAtMs), named(agent, names)));
}

async function environmentsNamed({ db, tenantId }: TenantScope, names: readonly string[]) {
  const rows = await db
    .select({ slug: environment.slug })
    .from(environment)
    .where(and(eq(environment.tenantId, tenantId), inArray(environment.slug, [...names])));
  return rows.map(({ slug }) => ({ id: slug, slug }));
}

/** A slug never has the form of an id, so each name is looked for in one column. */
function named(table: typeof agent | typeof project, names: readonly string[]) {
  const noun = table === agent ? "agent" : "project";
  const ids = names.filter((name) => isId(noun, name));
  const slugs = names.filter((name) => !isId(noun, name));
  return ids.length === 0 ? inArray(table.slug, slugs) : inArray(table.id, ids);
}

type Row = { readonly id: string; readonly slug: string };

async function inChunks(
  names: readonly string[],
  read: (some: readonly string[]) => Promise<readonly Row[]>,
): Promise<ReadonlyMap<string, string>> {
  const isSome = (name: string) => /^[a-z]{3}_/.test(name);
  const found = new Map<string, string>();
  // Ids and slugs apart: they stand in different columns. Fifty are well within bound parameters.
  for (const group of [names.filter(isSome), names.filter((name) => !isSome(name))]) {
    for (let i = 0; i < group.length; i += 50) {
      for (const { id, slug } of await read(group.slice(i, i + 50))) {
        found.set(id, id).set(slug, id);
      }
    }
  }
  return found;
}

function invalid(errors: readonly ProblemPlace[]): Problem {
  return new Problem("invalid", "the request does not fit its schema", { errors });
}
