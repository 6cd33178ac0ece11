/**
 * /auth/oidc — single sign-on by a tenant's connections to OpenID providers.
 *
 * Both routes are met by a browser on its way, so what goes wrong is told to the sign-in page:
 * `/?sign_in_error=<one of SSO_REFUSALS>`.
 */
import type { Context } from "hono";
import { z } from "zod";
import { Problem } from "../../core/problem.ts";
import { SIGN_IN_MS, SignInChoices } from "../../core/sso/contract.ts";
import { authorizationUrl, claimsOf, type Provider, SsoFailure } from "../../core/sso/flow.ts";
import { type ConnectionRow, findConnection, signInChoices } from "../../core/sso/store.ts";
import { recordRefusedSso } from "../../core/sso/store-people.ts";
import { beginSignIn, takeSignIn } from "../../core/sso/store-sign-in.ts";
import { Id } from "../api/parameters.ts";
import { forgetAccess } from "../edge/access.ts";
import type { AppEnv } from "../edge/context.ts";
import { answers, newRoutes, open, takes } from "../edge/routes.ts";
import { sealerOf } from "../edge/sealing.ts";
import { admitAttempt } from "./attempts.ts";
import { scopeOf, startUserSession, tenantArrival } from "./sign-in.ts";
import { userOf } from "./sso-people.ts";
import {
  bindingOf,
  browserCookie,
  browserOf,
  newBrowser,
  newState,
  returnUrl,
  wayOf,
} from "./sso-way.ts";

const ByConnection = z.object({ connection: Id });
const ReturnTo = z.strictObject({ return_to: z.string().max(2000).optional() });

export const sso = newRoutes()
  .get(
    "/connections",
    open("Ways to sign in that the tenant has set up"),
    answers(200, SignInChoices, "Slug and name of each; empty where there is none."),
    async (c) => {
      if (!c.get("tenant").flags.sso) return c.json({ data: [] });
      return c.json(await signInChoices(c.get("scope")));
    },
  )
  .get(
    "/oidc/:connection/start",
    open("Leave for the provider"),
    takes("param", ByConnection),
    takes("query", ReturnTo),
    answers(303, null, "To the provider, or back with `sign_in_error`."),
    (c) => {
      const { connection } = c.req.valid("param");
      return leave(c, connection, c.req.valid("query").return_to);
    },
  )
  .get(
    "/oidc/:connection/callback",
    open("Come back from the provider"),
    takes("param", ByConnection),
    answers(303, null, "Signed in and on to `return_to`, or back with `sign_in_error`."),
    (c) => comeBack(c, c.req.valid("param").connection),
  );

async function leave(
  c: Context<AppEnv>,
  slug: string,
  returnTo: string | undefined,
): Promise<Response> {
  const arrival = tenantArrival(c);
  const connection = await openConnection(c, slug);
  await admitAttempt(c.env, arrival, "sso");
  const origin = c.get("origin");
  const browser = browserOf(arrival.request, origin) ?? newBrowser();
  const state = newState();
  const binding = bindingOf(browser, state, redirectUri(origin, slug));
  return orRefused(c, connection, "leaving", async () => {
    const url = await authorizationUrl(
      arrival.services.fetchIssuer,
      await providerOf(c, connection),
      binding,
    );
    const way = wayOf(browser, state, connection.id);
    await beginSignIn(c.get("scope"), way, returnUrl(origin, returnTo), c.get("nowMs"));
    c.header("set-cookie", browserCookie(origin, browser, SIGN_IN_MS));
    return away(c, url.href);
  });
}

async function comeBack(c: Context<AppEnv>, slug: string): Promise<Response> {
  const { request, services } = tenantArrival(c);
  const connection = await openConnection(c, slug);
  const origin = c.get("origin");
  const answer = new URL(request.url).searchParams;
  const browser = browserOf(request, origin);
  const state = answer.get("state") ?? "";
  if (browser === undefined || repeated(answer)) return refused(c, "expired");
  const way = wayOf(browser, state, connection.id);
  const left = await takeSignIn(c.get("scope"), way, c.get("nowMs"));
  if (left === undefined) return refused(c, "expired");
  return orRefused(c, connection, "coming back", async () => {
    const binding = bindingOf(browser, state, redirectUri(origin, slug));
    const provider = await providerOf(c, connection);
    const claims = await claimsOf(services.fetchIssuer, provider, binding, answer);
    const userId = await userOf(scopeOf(c, "system", "system"), connection, claims, c.get("nowMs"));
    forgetAccess(services, connection.tenantId);
    services.members.forgetAll(`${connection.tenantId} `);
    await startUserSession(c, userId);
    return away(c, left.returnTo);
  });
}

/**
 * While the tenant is suspended its own people may come in by it, and nobody else joins.
 *
 * @throws Problem `not_found` for one there is not, or that is off
 */
async function openConnection(c: Context<AppEnv>, slug: string): Promise<ConnectionRow> {
  const { flags, status } = c.get("tenant");
  const found = flags.sso ? await findConnection(c.get("scope"), slug) : undefined;
  if (found?.enabled === true) {
    return { ...found, createMembers: found.createMembers && status === "active" };
  }
  throw new Problem("not_found", "no such connection");
}

async function providerOf(c: Context<AppEnv>, connection: ConnectionRow): Promise<Provider> {
  const { tenantId, id, sealedSecret } = connection;
  const { issuer, clientId, authMethod, scopes } = connection;
  const open = async (sealed: string): Promise<string> => {
    const sealer = await sealerOf(c.get("services"), c.get("scope"), c.get("nowMs"));
    return sealer.open({ tenantId, kind: "sso", id }, sealed);
  };
  const clientSecret = sealedSecret === null ? undefined : await open(sealedSecret);
  return { issuer, clientId, clientSecret, authMethod, scopes };
}

/** What is registered at the provider; of this host, so that no other tenant's comes back here. */
export function redirectUri(origin: string, slug: string): string {
  return `${origin}/auth/oidc/${slug}/callback`;
}

/** Only who left is in the trail for not being let in: leaving is open to anybody. */
async function orRefused(
  c: Context<AppEnv>,
  { id }: ConnectionRow,
  when: "leaving" | "coming back",
  act: () => Promise<Response>,
): Promise<Response> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof SsoFailure)) throw error;
    const { reason, message } = error;
    console.warn(
      JSON.stringify({
        level: "warn",
        event: "sso.refused",
        connection: id,
        reason,
        cause: message,
      }),
    );
    if (when === "coming back") {
      await recordRefusedSso(scopeOf(c, "system", "system"), id, reason, c.get("nowMs"));
    }
    return refused(c, reason);
  }
}

function refused(c: Context<AppEnv>, reason: SsoFailure["reason"]): Response {
  return away(c, `${c.get("origin")}/?sign_in_error=${reason}`);
}

/** Nothing of the address that was met goes along, nor is it kept. */
function away(c: Context<AppEnv>, url: string): Response {
  c.header("cache-control", "no-store");
  c.header("referrer-policy", "no-referrer");
  return c.redirect(url, 303);
}

function repeated(parameters: URLSearchParams): boolean {
  const names = [...parameters.keys()];
  return new Set(names).size !== names.length;
}
