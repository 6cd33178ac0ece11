/**
 * The way to an OpenID provider and back, with the checks of OpenID Connect and of the current
 * practice of OAuth: PKCE, state, nonce, `iss` of the answer, the id token's signature.
 *
 * @source OpenID Connect Core 1.0 §3.1; RFC 7636, RFC 9207, RFC 9700 §2.1
 */
import * as oauth from "oauth4webapi";
import { EgressFailure } from "../egress/contract.ts";
import type { Fetch } from "../models/contract.ts";
import type { AuthMethod, Person, SsoRefusal } from "./contract.ts";

/** A connection, opened. */
export type Provider = {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  readonly authMethod: AuthMethod;
  readonly scopes: readonly string[];
};

/** What binds the way back to the way there. */
export type Binding = {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
  readonly redirectUri: string;
};

export type Claims = Readonly<Record<string, unknown>>;

/** Somebody is not let in; `cause` says more to a log, and holds nothing of theirs. */
export class SsoFailure extends Error {
  override readonly name = "SsoFailure";
  readonly reason: SsoRefusal;
  constructor(reason: SsoRefusal, cause?: string) {
    super(cause ?? reason);
    this.reason = reason;
  }
}

const TIMEOUT_MS = 10_000;

/** Where to send the browser. @throws SsoFailure */
export function authorizationUrl(fetch: Fetch, provider: Provider, binding: Binding): Promise<URL> {
  return asSsoFailure(async () => {
    const server = await discovered(fetch, provider);
    const url = new URL(server.authorization_endpoint ?? "");
    const parameters = {
      response_type: "code",
      client_id: provider.clientId,
      redirect_uri: binding.redirectUri,
      scope: provider.scopes.join(" "),
      state: binding.state,
      nonce: binding.nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(binding.codeVerifier),
      code_challenge_method: "S256",
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return url;
  });
}

/**
 * What the provider says of whoever came back with `answer`.
 *
 * @param answer  The query of the callback, each parameter once.
 * @throws SsoFailure
 */
export function claimsOf(
  fetch: Fetch,
  provider: Provider,
  binding: Binding,
  answer: URLSearchParams,
): Promise<Claims> {
  return asSsoFailure(async () => {
    const server = await discovered(fetch, provider);
    const client = { client_id: provider.clientId };
    const http = httpOf(fetch, provider);
    const parameters = oauth.validateAuthResponse(server, client, answer, binding.state);
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      authentication(provider),
      parameters,
      binding.redirectUri,
      binding.codeVerifier,
      http,
    );
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
      expectedNonce: binding.nonce,
      requireIdToken: true,
    });
    await oauth.validateApplicationLevelSignature(server, response, http);
    const claims = oauth.getValidatedIdTokenClaims(tokens);
    if (claims === undefined) throw new SsoFailure("invalid", "no id token");
    if (claims["email"] !== undefined || server.userinfo_endpoint === undefined) return claims;
    const asked = await oauth.userInfoRequest(server, client, tokens.access_token, http);
    const told = await oauth.processUserInfoResponse(server, client, claims.sub, asked);
    return { ...told, ...claims }; // what is signed wins
  });
}

/** Who the claims speak of. A mailbox counts when the provider vouches for it, and never else. */
export function personOf(claims: Claims): Person {
  const { sub, email, email_verified: verified, name } = claims;
  if (typeof sub !== "string" || !PRINTABLE.test(sub))
    throw new SsoFailure("invalid", "no subject");
  const mailbox = typeof email === "string" && email.length <= 254 && MAILBOX.test(email);
  const called = typeof name === "string" && name.length <= 120 && PRINTABLE.test(name);
  const verifiedEmail = mailbox && verified === true ? email.toLowerCase() : undefined;
  return {
    subject: sub,
    verifiedEmail,
    name: called ? name : ((verifiedEmail ?? "").split("@", 1)[0] ?? ""),
  };
}

const PRINTABLE = /^[^\p{Cc}\p{Cs}]{1,255}$/u;
const MAILBOX = /^[^\s@\p{Cc}\p{Cs}]+@[^\s@\p{Cc}\p{Cs}]+$/u;

async function discovered(fetch: Fetch, provider: Provider): Promise<oauth.AuthorizationServer> {
  const issuer = new URL(provider.issuer);
  const answer = await oauth.discoveryRequest(issuer, httpOf(fetch, provider));
  if (answer.status >= 500) throw new SsoFailure("unreachable", `discovery ${answer.status}`);
  const server = await oauth.processDiscoveryResponse(issuer, answer);
  if (server.authorization_endpoint !== undefined) return server;
  throw new SsoFailure("invalid", "no authorization endpoint");
}

type Sent = oauth.CustomFetchOptions<string, URLSearchParams | undefined>;

/** Whether plain http may be asked at all is the egress rule's to say, not the library's. */
function httpOf(fetch: Fetch, { issuer }: Provider) {
  return {
    [oauth.customFetch]: (url: string, { method, headers, body, signal }: Sent) =>
      fetch(url, { method, headers, body: body ?? null, signal: signal ?? null }),
    [oauth.allowInsecureRequests]: issuer.startsWith("http:"),
    signal: () => AbortSignal.timeout(TIMEOUT_MS),
  };
}

function authentication({ authMethod, clientSecret }: Provider): oauth.ClientAuth {
  if (clientSecret === undefined || authMethod === "none") return oauth.None();
  return authMethod === "client_secret_post"
    ? oauth.ClientSecretPost(clientSecret)
    : oauth.ClientSecretBasic(clientSecret);
}

async function asSsoFailure<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw error instanceof SsoFailure ? error : new SsoFailure(reasonOf(error), causeOf(error));
  }
}

function reasonOf(error: unknown): SsoRefusal {
  if (error instanceof oauth.AuthorizationResponseError) return "refused";
  if (error instanceof EgressFailure)
    return error.reason === "too_large" ? "invalid" : "unreachable";
  const timeout = error instanceof DOMException;
  const broken = error instanceof oauth.OperationProcessingError;
  const protocol = broken || error instanceof oauth.ResponseBodyError;
  return timeout ||
    !(
      protocol ||
      error instanceof oauth.UnsupportedOperationError ||
      error instanceof oauth.WWWAuthenticateChallengeError
    )
    ? "unreachable"
    : "invalid";
}

/** A class and a code: what the provider sent is not ours to log. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  const code = "code" in error ? String(error.code) : "";
  return `${error.name} ${code}`.trim();
}
