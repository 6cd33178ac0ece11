import { oneAgent } from "../agents/live.ts";
import { agent } from "../agents/table.ts";
import type { TenantScope } from "../db/scope.ts";
import { hasEnvironment } from "../environments/store.ts";
import { Problem } from "../problem.ts";
import { findProjectId } from "../projects/store.ts";
import type { CreateKey, KeyPatch } from "./contract.ts";
import type { KeyTableRow } from "./row.ts";

/** What of a key its administrators set. */
export type KeySettings = Pick<
  KeyTableRow,
  | "name"
  | "scopes"
  | "projectId"
  | "agentId"
  | "environment"
  | "expiresAtMs"
  | "disabledAtMs"
  | "allowedOrigins"
  | "allowedIps"
  | "rateLimits"
  | "credits"
  | "metadata"
>;

/**
 * The columns a body sets; what it leaves out is not among them.
 *
 * @param revision  The key's, once this is stored.
 * @throws Problem `invalid` for a project, an agent or an environment the tenant has not, and for an
 *         expiry that has passed.
 */
export async function settingsOf(
  scope: TenantScope,
  input: CreateKey | KeyPatch,
  revision: number,
  nowMs: number,
): Promise<Partial<KeySettings>> {
  const { name, scopes, enabled, metadata, credits } = input;
  const { allowed_origins: allowedOrigins, allowed_ips: allowedIps } = input;
  const rateLimits = input.rate_limits?.map(({ limit, period_seconds }) => ({
    limit,
    periodMs: period_seconds * 1000,
  }));
  return given({
    ...(await narrowingOf(scope, input)),
    name,
    scopes,
    expiresAtMs: expiryOf(input.expires_at, nowMs),
    disabledAtMs: enabled === undefined ? undefined : enabled ? null : nowMs,
    allowedOrigins,
    allowedIps,
    rateLimits: input.rate_limits === null ? null : rateLimits,
    credits: credits && {
      units: credits.budget,
      revision,
      setAtMs: nowMs,
      refill: credits.refill && {
        amount: credits.refill.amount,
        intervalMs: credits.refill.interval_seconds * 1000,
      },
    },
    metadata,
  });
}

/** @throws Problem `invalid` for an end that has passed */
export function expiryOf(
  expiresAt: string | null | undefined,
  nowMs: number,
): number | null | undefined {
  if (typeof expiresAt !== "string") return expiresAt;
  const expiresAtMs = Date.parse(expiresAt);
  if (expiresAtMs <= nowMs) throw invalid("/expires_at", "has passed");
  return expiresAtMs;
}

/** Ids of what the key is to be narrowed to; each must exist in this tenant. */
async function narrowingOf(
  scope: TenantScope,
  { project, agent: wanted, environment }: CreateKey | KeyPatch,
) {
  if (typeof environment === "string" && !(await hasEnvironment(scope, environment))) {
    throw invalid("/environment", "no such environment");
  }
  return {
    environment,
    agentId: typeof wanted === "string" ? await agentIdOf(scope, wanted) : wanted,
    projectId: typeof project === "string" ? await findProjectId(scope, project) : project,
  };
}

async function agentIdOf(scope: TenantScope, idOrSlug: string): Promise<string> {
  const [found] = await scope.db
    .select({ id: agent.id })
    .from(agent)
    .where(oneAgent(scope, idOrSlug));
  if (found === undefined) throw invalid("/agent", "no such agent");
  return found.id;
}

function invalid(pointer: string, detail: string): Problem {
  return new Problem("invalid", "the request does not fit its schema", {
    errors: [{ pointer, detail }],
  });
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function given<T extends object>(values: T): Given<T> {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  // Entries of `values`, fewer of them.
  return Object.fromEntries(entries) as Given<T>;
}
