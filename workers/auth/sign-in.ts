/** Signing a browser in and out: a session's row, and the cookie that holds its token. */
import {
  createConsoleSession,
  deleteConsoleSession,
  type SessionOf,
} from "../../core/console-sessions/store.ts";
import { actingAs, type TenantScope } from "../../core/db/scope.ts";
import { Problem } from "../../core/problem.ts";
import { addressOf } from "../edge/actor.ts";
import { forgetAccess } from "../edge/access.ts";
import type { Arrival, TenantArrival } from "../edge/arrival.ts";
import { refuseForeignWrites, sessionCookieName, sessionTokensOf } from "../edge/credential.ts";
import { sha256 } from "../edge/hash.ts";
import { memberKey } from "../edge/principal-user.ts";

/** As much of a request's context as this needs. */
export type SigningIn = {
  get(key: "arrival"): Arrival;
  get(key: "scope"): TenantScope;
  get(key: "nowMs"): number;
  get(key: "origin"): string;
  header(name: string, value: string): void;
};

/** Sign the browser in as a user who has just proven to be that; whoever it was before is out. */
export async function startUserSession(c: SigningIn, userId: string): Promise<void> {
  await startSession(c, { userId });
}

/** A session of its own for each sign-in: a token that was there before is never made to count. */
export async function startSession(c: SigningIn, of: SessionOf): Promise<void> {
  await endPresentedSession(c);
  const nowMs = c.get("nowMs");
  const [kind, id] = "userId" in of ? (["user", of.userId] as const) : (["key", of.keyId] as const);
  const scope = scopeOf(c, kind, id);
  const made = await createConsoleSession(scope, of, nowMs);
  c.header("set-cookie", cookie(c.get("origin"), made.token, made.expiresAtMs - nowMs));
}

/** Sign the browser out: the session's row and the cookie go, whatever state they are in. */
export async function endSession(c: SigningIn): Promise<void> {
  const { request, origin } = c.get("arrival");
  if (sessionTokensOf(request, origin).length > 0) refuseForeignWrites(request, origin);
  await endPresentedSession(c);
  c.header("set-cookie", cookie(c.get("origin"), "", 0));
}

/** This isolate looks at the user anew: what it had may be over, or more, or less. */
export function forgetUser(arrival: Arrival, userId: string): void {
  if (arrival.at !== "tenant") return;
  const { services, residence } = arrival;
  services.members.forget(memberKey(residence.tenant.id, userId));
  forgetAccess(services, residence.tenant.id);
}

/** The arrival of a tenant's route, as its type cannot say. */
export function tenantArrival(c: SigningIn): TenantArrival {
  const arrival = c.get("arrival");
  if (arrival.at === "tenant") return arrival;
  throw new Error("a tenant's route, away from a tenant");
}

/** The tenant's rows on behalf of whoever an open route has found out it serves. */
export function scopeOf(
  c: SigningIn,
  kind: "user" | "key" | "app_client" | "system",
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

async function endPresentedSession(c: SigningIn): Promise<void> {
  const { request, origin, services } = c.get("arrival");
  for (const token of sessionTokensOf(request, origin)) {
    const hash = sha256(token);
    await deleteConsoleSession(scopeOf(c, "system", "system"), hash, c.get("nowMs"));
    services.sessions.forget(hash);
  }
}

function cookie(origin: string, value: string, lifetimeMs: number): string {
  const secure = origin.startsWith("https:") ? "; Secure" : "";
  const maxAge = Math.floor(lifetimeMs / 1000);
  const name = sessionCookieName(origin);
  return `${name}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure}`;
}
