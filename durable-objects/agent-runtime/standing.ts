import { findConsoleSession } from "../../core/console-sessions/store.ts";
import type { ConsoleSession } from "../../core/console-sessions/contract.ts";
import { tenantScope, type PlatformScope } from "../../core/db/scope.ts";
import { findLiveAgent } from "../../core/deployments/store-live.ts";
import { findKey } from "../../core/keys/store.ts";
import type { Meter } from "../../core/limits/contract.ts";
import { Problem, type ProblemCode, type ProblemData } from "../../core/problem.ts";
import { CLOSE } from "../../core/sessions/frames.ts";
import { getTenant } from "../../core/tenants/store.ts";
import type { Owner } from "./contract.ts";
import { faultOfClient } from "./standing-client.ts";
import { faultOfKey } from "./standing-key.ts";
import { faultOfUser, type SocketUser } from "./standing-user.ts";

/** What a socket's being open rests on. */
export type Grant = {
  readonly owner: Owner;
  /** The API key to look at again, or null for a credential that ends by time alone. */
  readonly keyId: string | null;
  /** Hash of the console session it came through. */
  readonly consoleSession: string | null;
  readonly endsAtMs: number | null;
  /** The user to look at again; absent for other principals. */
  readonly user?: SocketUser;
  /** The app client to look at again, by id; absent for other principals. */
  readonly client?: string;
};

export type Standing =
  | {
      readonly ok: true;
      /** What is live for the next turn. */
      readonly generation: number;
      /** When the reads that say so began. */
      readonly atMs: number;
      /** What each turn is counted against; null for a credential without limits of its own. */
      readonly meter: Meter | null;
    }
  | { readonly ok: false; readonly close: number; readonly problem: ProblemData };

type Read = { readonly atMs: number; readonly standing: Promise<Standing> };

/**
 * May a socket still be open? Asked of the control plane itself, at most once in `ttlMs` for all
 * sockets of one credential; an answer is as old as the start of its read (DECISIONS 24).
 */
export class Standings {
  readonly #platform: () => PlatformScope;
  readonly #ttlMs: number;
  readonly #reads = new Map<string, Read>();

  constructor(platform: () => PlatformScope, ttlMs: number) {
    this.#platform = platform;
    this.#ttlMs = ttlMs;
  }

  /** Is a look at `atMs` young enough to count? A clock that stepped back makes none younger. */
  fresh(atMs: number, nowMs: number): boolean {
    return nowMs >= atMs && nowMs - atMs < this.#ttlMs;
  }

  async of(grant: Grant, nowMs: number): Promise<Standing> {
    if (ended(grant, nowMs)) return over("token_expired", "the credential has expired");
    const { keyId, consoleSession, user, client } = grant;
    const name = `${keyId} ${consoleSession} ${user?.id} ${user?.beganAtMs} ${client}`;
    const known = this.#reads.get(name);
    if (known && this.fresh(known.atMs, nowMs)) return known.standing;
    const standing = look(this.#platform, grant, nowMs);
    for (const [other, { atMs }] of this.#reads) {
      if (!this.fresh(atMs, nowMs)) this.#reads.delete(other);
    }
    this.#reads.set(name, { atMs: nowMs, standing });
    const found = await standing;
    // Only what was really learnt is kept for others.
    if (!found.ok && found.close === CLOSE.unchecked) this.#reads.delete(name);
    return found;
  }
}

/** Past its own end, whatever is remembered of it. */
export function ended({ endsAtMs }: Grant, nowMs: number): boolean {
  return endsAtMs !== null && endsAtMs <= nowMs;
}

async function look(
  controlPlane: () => PlatformScope,
  grant: Grant,
  nowMs: number,
): Promise<Standing> {
  const { owner, keyId, consoleSession } = grant;
  try {
    const platform = controlPlane();
    const scope = tenantScope(platform, owner.tenantId);
    const [tenant, agent, key, session] = await Promise.all([
      orMissing(getTenant(platform, owner.tenantId)),
      orMissing(findLiveAgent(scope, owner.agentId, owner.environment)),
      keyId === null ? null : findKey(platform, keyId),
      consoleSession === null ? null : findConsoleSession(platform, consoleSession),
    ]);
    if (tenant?.status === "suspended") {
      return refused(CLOSE.suspended, "suspended", "ask the platform's operator");
    }
    if (tenant?.status !== "active" || !agent) {
      return refused(CLOSE.gone, "not_found", "no such agent");
    }
    const { user, client } = grant;
    const lapsed =
      (key === null ? undefined : await faultOfKey(scope, key, owner, agent, nowMs)) ??
      (user === undefined ? undefined : await faultOfUser(scope, user, owner, agent, nowMs)) ??
      (client === undefined ? undefined : await faultOfClient(scope, client, owner, agent, nowMs));
    return (
      (lapsed && refused(CLOSE.credential, lapsed.code, lapsed.detail)) ??
      (session === null ? undefined : faultOfSession(session, owner, nowMs)) ?? {
        ok: true,
        generation: agent.generation,
        atMs: nowMs,
        meter: key?.meter ?? null,
      }
    );
  } catch (error) {
    console.error(
      JSON.stringify({ level: "error", event: "chat.unchecked", detail: String(error) }),
    );
    return refused(CLOSE.unchecked, "overloaded", "the credential cannot be checked now");
  }
}

/** Undefined for what is not there, or not live. */
async function orMissing<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

function faultOfSession(
  session: ConsoleSession | undefined,
  owner: Owner,
  nowMs: number,
): Standing | undefined {
  if (session?.tenantId !== owner.tenantId) return over("invalid_token", "signed out");
  return session.expiresAtMs <= nowMs ? over("token_expired", "the session has ended") : undefined;
}

function over(code: ProblemCode, detail: string): Standing {
  return refused(CLOSE.credential, code, detail);
}

function refused(close: number, code: ProblemCode, detail: string): Standing {
  return { ok: false, close, problem: { code, detail } };
}
