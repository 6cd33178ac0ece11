/**
 * Tokens for users: a short access token, and a refresh token that is good for one use
 * (core/refresh/store.ts, R1–R3).
 *
 * @source RFC 6749 §4.3, §5 and §6; RFC 9700 §4.14
 */
import type { Context } from "hono";
import { type Scope, TENANT_SCOPES } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import type { Refreshed } from "../../core/refresh/contract.ts";
import { beginFamily, useRefreshToken } from "../../core/refresh/store.ts";
import { issueToken } from "../../core/tokens/signer.ts";
import { Email } from "../../core/users/contract.ts";
import type { AppEnv } from "../edge/context.ts";
import { userPrincipal } from "../edge/principal-user.ts";
import { OAuthError } from "./oauth-error.ts";
import type { Form } from "./oauth-form.ts";
import { provenUser } from "./prove.ts";
import { scopeOf, tenantArrival } from "./sign-in.ts";
import type { TokenAnswer } from "./token-answer.ts";

/** What is signed cannot be taken back: it must end soon. */
const ACCESS_SECONDS = 900;

/** Both tokens for a user who has just proven to be that. */
export async function beginTokens(
  c: Context<AppEnv>,
  userId: string,
  wanted: string | null = null,
): Promise<TokenAnswer> {
  const scope = scopeOf(c, "user", userId);
  const begun = await beginFamily(scope, { userId, wanted }, c.get("nowMs"));
  return answerOf(c, begun, undefined);
}

/** `grant_type=password`, for first-party clients. @throws OAuthError | Problem */
export async function passwordGrant(c: Context<AppEnv>, form: Form): Promise<TokenAnswer> {
  const email = Email.safeParse(form.get("username"));
  const password = form.get("password")?.normalize("NFC");
  if (!email.success || password === undefined) {
    throw new OAuthError("invalid_request", "username and password are needed");
  }
  const { id } = await provenUser(c, email.data, password);
  return beginTokens(c, id, form.get("scope") ?? null);
}

/** `grant_type=refresh_token`. @throws OAuthError | Problem */
export async function refreshGrant(c: Context<AppEnv>, form: Form): Promise<TokenAnswer> {
  const presented = form.get("refresh_token");
  if (presented === undefined) throw new OAuthError("invalid_request", "refresh_token is missing");
  const asked = form.get("scope");
  within(TENANT_SCOPES, asked ?? null); // a mistyped scope must not use up the token
  const refreshed = await useRefreshToken(c.get("scope"), presented, c.get("nowMs"));
  if (refreshed === undefined) {
    throw new Problem("invalid_token", "the refresh token is not valid, or was used");
  }
  return answerOf(c, refreshed, asked);
}

async function answerOf(
  c: Context<AppEnv>,
  { token, userId, scope, beganAtMs }: Refreshed,
  asked: string | undefined,
): Promise<TokenAnswer> {
  const { tokenSigningJwk } = c.get("config");
  if (tokenSigningJwk === undefined) {
    throw new Problem("overloaded", "no signing key is set", { retryAfterMs: 60_000 });
  }
  const principal = await userPrincipal(tenantArrival(c), userId, beganAtMs);
  const scopes = within(within(principal.scopes, scope), asked ?? null);
  const { tenantId } = c.get("scope");
  const { id } = principal;
  const grant = { principal: { kind: "user", id, tenantId, scopes }, tenantId } as const;
  const more = { origin: c.get("origin"), lifetimeSeconds: ACCESS_SECONDS };
  return {
    access_token: await issueToken(tokenSigningJwk, { ...grant, ...more }, c.get("nowMs")),
    token_type: "Bearer",
    expires_in: ACCESS_SECONDS,
    refresh_token: token,
    scope: scopes.join(" "),
  };
}

/** Of `held` what is asked for; all of it when nothing is. @throws OAuthError `invalid_scope` */
function within(held: readonly Scope[], asked: string | null): readonly Scope[] {
  if (asked === null) return held;
  const wanted = asked.split(" ").filter((scope) => scope !== "");
  const known = new Set<string>(TENANT_SCOPES);
  if (wanted.length === 0 || wanted.some((scope) => !known.has(scope))) {
    throw new OAuthError("invalid_scope", "a scope is unknown");
  }
  return held.filter((scope) => wanted.includes(scope));
}
