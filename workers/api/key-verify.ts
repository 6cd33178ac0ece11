/**
 * What a key is good for, asked by a service that was shown it.
 *
 * V1  A key of another tenant, one that never existed, and one with a wrong secret get the same
 *     answer (P1); so does what is no key at all, before anything is read (P2).
 * V2  The row is this isolate's, as for a request with the key: warm, nothing is read.
 * V3  Only a key that passed everything else is counted against its limits.
 */
import { getAgent } from "../../core/agents/store.ts";
import { rfc3339 } from "../../core/clock.ts";
import type { KeyCode, KeyVerdict, VerifyKey } from "../../core/keys/contract.ts";
import { parseKey, sameHash } from "../../core/keys/format.ts";
import { keyCodeOf, lapseOf, misplaced } from "../../core/keys/judge.ts";
import type { KeyRow } from "../../core/keys/store.ts";
import { creditsOnWire } from "../../core/keys/usage.ts";
import type { Rate } from "../../core/limits/contract.ts";
import { type Principal, covers } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import { findProjectId } from "../../core/projects/store.ts";
import type { Spent, SpendRefusal } from "../../durable-objects/tenant-gate/contract.ts";
import type { TenantArrival } from "../edge/arrival.ts";
import { sha256 } from "../edge/hash.ts";
import { spend } from "../edge/key-meter.ts";
import { permits } from "../edge/permits.ts";
import { boundedPrincipal, keyRow } from "../edge/principal-key.ts";
import { placeOf } from "./narrowing.ts";

const NOT_FOUND: KeyVerdict = {
  valid: false,
  code: "NOT_FOUND",
  key_id: null,
  name: null,
  owner_id: null,
  scopes: [],
  project_id: null,
  agent_id: null,
  environment: null,
  metadata: {},
  expires_at: null,
  credits: null,
  rate_limits: [],
  retry_after_ms: null,
};

export async function verifyKey(arrival: TenantArrival, wanted: VerifyKey): Promise<KeyVerdict> {
  const row = await shownKey(arrival, wanted.key);
  if (row === undefined) return NOT_FOUND;
  const place = { address: wanted.address ?? null, origin: wanted.origin ?? null };
  const fault = lapseOf(row, arrival.nowMs) ?? misplaced(row, () => place);
  const principal = fault === undefined ? await boundedPrincipal(row, arrival) : undefined;
  if (principal === undefined) {
    return judged(arrival, row, fault === undefined ? "DISABLED" : keyCodeOf(fault.code));
  }
  const code = await lacking(arrival, principal, wanted);
  if (code !== undefined) return judged(arrival, row, code, principal);
  return metered(arrival, row, principal, wanted.cost);
}

/** The row of the key whose secret this is, in this tenant (V1). */
async function shownKey(arrival: TenantArrival, text: string): Promise<KeyRow | undefined> {
  const key = parseKey(text);
  if (key === undefined) return undefined;
  const row = await keyRow(arrival, key.keyId);
  const same = row !== undefined && sameHash(row.secretHash, sha256(key.secret));
  return same && row.tenantId === arrival.residence.tenant.id ? row : undefined;
}

/** What the key is not enough for. */
async function lacking(
  arrival: TenantArrival,
  principal: Principal,
  wanted: VerifyKey,
): Promise<KeyCode | undefined> {
  const { scope, environment } = wanted;
  if (scope !== undefined && !principal.scopes.includes(scope)) return "INSUFFICIENT_PERMISSIONS";
  if (environment !== undefined && (principal.environment ?? environment) !== environment) {
    return "FORBIDDEN";
  }
  return (await reaches(arrival, principal, wanted)) ? undefined : "FORBIDDEN";
}

/**
 * Reads only where a narrowed key is asked about something that is not named by its id, and for a
 * personal key, whose owner's statements are weighed on the agent's facts.
 */
async function reaches(
  { residence, nowMs }: TenantArrival,
  principal: Principal,
  { scope, project, agent, environment }: VerifyKey,
): Promise<boolean> {
  const { projectId, agentId, grants } = principal;
  if (project !== undefined && projectId !== undefined && project !== projectId) {
    const id = await orNone(findProjectId(residence.scope, project));
    if (id !== projectId) return false;
  }
  if (agent === undefined) return true;
  const weighed = grants !== undefined && scope !== undefined;
  if (!weighed && projectId === undefined && (agentId ?? agent) === agent) return true;
  const found = await orNone(getAgent(residence.scope, agent));
  if (found === undefined) return false;
  if (!weighed) return covers(principal, found.id, undefined, found.project_id);
  const asking = { ...principal, asked: { scope, atMs: nowMs } };
  return permits(asking, { ...placeOf(found), environment });
}

/** Undefined for what the tenant has not. */
async function orNone<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

async function metered(
  arrival: TenantArrival,
  row: KeyRow,
  principal: Principal,
  cost: number,
): Promise<KeyVerdict> {
  const { meter } = row;
  if (meter === undefined) return judged(arrival, row, "VALID", principal);
  const answer = await spend(arrival, row.tenantId, { meter, credits: cost });
  const code = answer.ok ? "VALID" : answer.reason === "rate" ? "RATE_LIMITED" : "USAGE_EXCEEDED";
  return { ...judged(arrival, row, code, principal), ...left(meter.rates, answer) };
}

function left(
  rates: readonly Rate[],
  answer: Spent | SpendRefusal,
): Pick<KeyVerdict, "credits" | "rate_limits" | "retry_after_ms"> {
  return {
    credits: creditsOnWire(answer.credits),
    rate_limits: rates.flatMap(({ limit, periodMs }, index) => {
      const remaining = answer.rates[index];
      return remaining === undefined ? [] : [{ limit, period_seconds: periodMs / 1000, remaining }];
    }),
    retry_after_ms: answer.ok ? null : answer.retryAfterMs,
  };
}

/** The verdict, counted in the key's account. */
function judged(
  { services, nowMs, keep }: TenantArrival,
  row: KeyRow,
  code: KeyCode,
  principal?: Principal,
): KeyVerdict {
  services.keyUses.count({ tenantId: row.tenantId, keyId: row.id }, code, nowMs, keep);
  return {
    ...NOT_FOUND,
    valid: code === "VALID",
    code,
    key_id: row.id,
    name: row.name,
    owner_id: row.ownerId,
    scopes: [...(principal?.scopes ?? row.scopes)],
    project_id: row.projectId,
    agent_id: row.agentId,
    environment: row.environment,
    metadata: { ...row.metadata },
    expires_at: row.expiresAtMs === null ? null : rfc3339(row.expiresAtMs),
  };
}
