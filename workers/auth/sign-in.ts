/** Signing a browser in and out: a session's row, and the cookie that holds its token. */
import type { Context } from "hono";
import {
  createConsoleSession,
  deleteConsoleSession,
  type SessionOf,
} from "../../core/console-sessions/store.ts";
import { actingAs, type TenantScope } from "../../core/db/scope.ts";
import { Problem } from "../../core/problem.ts";
import { addressOf } from "../edge/actor.ts";
import type { Arrival } from "../edge/arrival.ts";
import type { AppEnv } from "../edge/context.ts";
import { refuseForeignWrites, sessionCookieName, sessionTokensOf } from "../edge/credential.ts";
import { sha256 } from "../edge/hash.ts";

/** Sign the browser in as a user who has just proven to be that; whoever it was before is out. */
export async function startUserSession(c: Context<AppEnv>, userId: string): Promise<void> {
  await startSession(c, { userId });
}

/** A session of its own for each sign-in: a token that was there before is never made to count. */
export async function startSession(c: Context<AppEnv>, of: SessionOf): Promise<void> {
  await endPresentedSession(c);
  const nowMs = c.get("nowMs");
  const [kind, id] = "userId" in of ? (["user", of.userId] as const) : (["key", of.keyId] as const);
  const scope = scopeOf(c, kind, id);
  const made = await createConsoleSession(scope, of, nowMs);
  c.header("set-cookie", cookie(c.get("origin"), made.token, made.expiresAtMs - nowMs));
}

/** Sign the browser out: the session's row and the cookie go, whatever state they are in. */
export async function endSession(c: Context<AppEnv>): Promise<void> {
  const { request, origin } = c.get("arrival");
  if (sessionTokensOf(request, origin).length > 0) refuseForeignWrites(request, origin);
  await endPresentedSession(c);
  c.header("set-cookie", cookie(c.get("origin"), "", 0));
}

/** The tenant's rows on behalf of whoever an open route has found out it serves. */
export function scopeOf(
  c: Context<AppEnv>,
  kind: "user" | "key" | "system",
  id: string,
): TenantScope {
  const { request, requestId } = c.get("arrival");
  return actingAs(c.get("scope"), { kind, id, address: addressOf(request), requestId });
}

/**
 * A page elsewhere must not sign its visitor in as somebody of its choice, nor out. Browsers name
 * the origin of every POST and DELETE; what names none is no browser.
 *
 * @throws Problem `origin_refused`
 */
export function demandOwnOrigin({ request, origin }: Arrival): void {
  const from = request.headers.get("origin");
  const site = request.headers.get("sec-fetch-site");
  const own =
    from === null ? site === null || site === "same-origin" || site === "none" : from === origin;
  if (own) return;
  throw new Problem("origin_refused", "sign in from this host's own page");
}

async function endPresentedSession(c: Context<AppEnv>): Promise<void> {
  const { request, origin, services } = c.get("arrival");
  for (const token of sessionTokensOf(request, origin)) {
    const hash = sha256(token);
    await deleteConsoleSession(c.get("scope"), hash);
    services.sessions.forget(hash);
  }
}

function cookie(origin: string, value: string, lifetimeMs: number): string {
  const secure = origin.startsWith("https:") ? "; Secure" : "";
  const maxAge = Math.floor(lifetimeMs / 1000);
  const name = sessionCookieName(origin);
  return `${name}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure}`;
}
