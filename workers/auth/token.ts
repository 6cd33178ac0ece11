/**
 * /auth/token — a secret goes in, an access token that ends soon comes out.
 *
 * @source RFC 6749 §4.4 and §5, RFC 9068 (the token), RFC 7009 (revocation)
 */
import type { Context } from "hono";
import { z } from "zod";
import { clientAccess } from "../../core/clients/access.ts";
import { recordTokenIssued } from "../../core/clients/store.ts";
import { type Scope, TENANT_SCOPES } from "../../core/principals/contract.ts";
import { endFamilyOf } from "../../core/refresh/store.ts";
import { issueToken } from "../../core/tokens/signer.ts";
import { gateOf } from "../api/gate.ts";
import { accessOf } from "../edge/access.ts";
import { addressOf } from "../edge/actor.ts";
import type { AppEnv } from "../edge/context.ts";
import { answers, newRoutes, open, readsForm } from "../edge/routes.ts";
import { demandActive } from "../edge/suspension.ts";
import { presentedClient, provenClient } from "./client-credentials.ts";
import { passwordGrant, refreshGrant } from "./grants-user.ts";
import { OAuthError, oauthRefusal } from "./oauth-error.ts";
import { type Form, readForm } from "./oauth-form.ts";
import { scopeOf, tenantArrival } from "./sign-in.ts";
import { TokenAnswer } from "./token-answer.ts";

/** The client's own two may come by Basic instead. What a grant does not know it passes over. */
const TokenForm = z.object({
  grant_type: z.enum(["client_credentials", "refresh_token", "password"]),
  client_id: z.string().optional(),
  client_secret: z.string().optional(),
  scope: z.string().optional(),
  resource: z.string().optional(),
  refresh_token: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
});

const RevocationForm = z.object({ token: z.string(), token_type_hint: z.string().optional() });

const OAuthRefusal = z.object({ error: z.string(), error_description: z.string() });

/** Requests of one address, proven or not, and of one client: within a minute. */
const ADDRESS_LIMIT = 120;
const CLIENT_LIMIT = 120;
const MINUTE_MS = 60_000;

type Grant = (c: Context<AppEnv>, form: Form) => Promise<TokenAnswer>;

const GRANTS: Readonly<Record<string, Grant>> = {
  client_credentials: clientGrant,
  password: passwordGrant,
  refresh_token: refreshGrant,
};

export const token = newRoutes()
  .post(
    "/token",
    open("Get an access token"),
    readsForm(TokenForm),
    answers(200, TokenAnswer, "The token, good at this host alone."),
    answers(400, OAuthRefusal, "A refusal as RFC 6749 has it"),
    answers(401, OAuthRefusal, "The client is not known, or not by this secret"),
    answers(429, OAuthRefusal, "Too many requests of one address or client"),
    (c) =>
      asOAuth(async () => {
        const form = await begun(c);
        const type = form.get("grant_type");
        if (type === undefined) throw new OAuthError("invalid_request", "grant_type is missing");
        const grant = Object.hasOwn(GRANTS, type) ? GRANTS[type] : undefined;
        if (grant === undefined) {
          throw new OAuthError("unsupported_grant_type", "the grant type is not one of ours");
        }
        return c.json(await grant(c, form), 200, { ...NO_STORE });
      }),
  )
  .post(
    "/revoke",
    open("Revoke a refresh token"),
    readsForm(RevocationForm),
    answers(200, null, "It is over, and what was made from it; also when it was so before."),
    answers(400, OAuthRefusal, "A refusal as RFC 7009 has it"),
    (c) =>
      asOAuth(async () => {
        const form = await begun(c);
        const presented = form.get("token");
        if (presented === undefined) throw new OAuthError("invalid_request", "token is missing");
        if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(presented)) {
          throw new OAuthError("unsupported_token_type", "an access token ends by itself");
        }
        await endFamilyOf(scopeOf(c, "system", "system"), presented, c.get("nowMs"));
        return c.body(null, 200, { ...NO_STORE });
      }),
  );

const NO_STORE = { "cache-control": "no-store", pragma: "no-cache" };

/** The form of a request that may be looked at. @throws OAuthError | Problem */
async function begun(c: Context<AppEnv>): Promise<Form> {
  const arrival = tenantArrival(c);
  const address = addressOf(arrival.request);
  if (address !== null) await admit(c, `token/address/${address}`, ADDRESS_LIMIT);
  return readForm(c.req.raw);
}

/** A machine's own token. @source RFC 6749 §4.4 */
async function clientGrant(c: Context<AppEnv>, form: Form): Promise<TokenAnswer> {
  const presented = presentedClient(c.req.raw.headers, form);
  if (presented === undefined) throw new OAuthError("invalid_client", "authenticate the client");
  const nowMs = c.get("nowMs");
  const client = await provenClient(c.get("scope"), presented, nowMs);
  demandActive(tenantArrival(c));
  await admit(c, `token/client/${client.id}`, CLIENT_LIMIT);
  demandThisHost(form, c.get("origin"));
  const { scopes: held } = clientAccess(
    client.scopes,
    await accessOf(tenantArrival(c), "app_client", client.id),
  );
  const scopes = narrowedTo(held, form.get("scope"));
  const answer = await minted(c, client, scopes);
  await recordTokenIssued(scopeOf(c, "app_client", client.id), client.id, scopes, nowMs);
  return answer;
}

async function minted(
  c: Context<AppEnv>,
  { id, tokenLifetimeSeconds }: { readonly id: string; readonly tokenLifetimeSeconds: number },
  scopes: readonly Scope[],
): Promise<TokenAnswer> {
  const { tokenSigningJwk } = c.get("config");
  if (tokenSigningJwk === undefined) {
    throw new OAuthError("temporarily_unavailable", "no signing key is set", { status: 503 });
  }
  const { tenantId } = c.get("scope");
  const principal = { kind: "app_client", id, tenantId, scopes } as const;
  const grant = { principal, tenantId, origin: c.get("origin") };
  const lifetimeSeconds = tokenLifetimeSeconds;
  return {
    access_token: await issueToken(tokenSigningJwk, { ...grant, lifetimeSeconds }, c.get("nowMs")),
    token_type: "Bearer",
    expires_in: lifetimeSeconds,
    scope: scopes.join(" "),
  };
}

/** All that is held, or what is asked for of it. @throws OAuthError `invalid_scope` */
function narrowedTo(held: readonly Scope[], asked: string | undefined): readonly Scope[] {
  const wanted = asked?.split(" ").filter((scope) => scope !== "");
  const scopes = TENANT_SCOPES.filter(
    (scope) => held.includes(scope) && (wanted === undefined || wanted.includes(scope)),
  );
  const missing = wanted?.some((scope) => !scopes.some((it) => it === scope)) === true;
  if (!missing && scopes.length > 0) return scopes;
  throw new OAuthError("invalid_scope", "a scope is unknown, or not the client's");
}

/** A token is good at the host it was asked from, and nowhere else. @source RFC 8707 §2 */
function demandThisHost(form: Form, origin: string): void {
  const wanted = form.get("resource") ?? form.get("audience");
  if (wanted === undefined || wanted === origin || wanted === `${origin}/`) return;
  throw new OAuthError("invalid_target", "tokens are for this host alone");
}

async function admit(c: Context<AppEnv>, subject: string, limit: number): Promise<void> {
  const { tenantId } = c.get("scope");
  const demand = { subject, limit, periodMs: MINUTE_MS };
  const admitted = await gateOf(c.env, tenantId).admit(tenantId, [demand]);
  if (admitted.ok) return;
  const { retryAfterMs } = admitted;
  throw new OAuthError("temporarily_unavailable", "too many requests", {
    status: 429,
    retryAfterMs,
  });
}

async function asOAuth(act: () => Promise<Response>): Promise<Response> {
  try {
    return await act();
  } catch (error) {
    return oauthRefusal(error);
  }
}
