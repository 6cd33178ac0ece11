/**
 * Which client a request to the token endpoint is of, and the proof of it.
 *
 * @source RFC 6749 §2.3.1: by Basic, its halves form-encoded, or in the form; never by both.
 */
import { isId } from "../../core/ids.ts";
import { parseClientSecret } from "../../core/clients/format.ts";
import { findSecret, type SecretRow } from "../../core/clients/store-secrets.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import { sameHash } from "../../core/keys/format.ts";
import { sha256 } from "../edge/hash.ts";
import { OAuthError } from "./oauth-error.ts";
import { type Form, formDecoded } from "./oauth-form.ts";

export type PresentedClient = { readonly id: string; readonly secret: string };

const BASIC = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i;

/**
 * The credentials of the request; undefined without any.
 *
 * @throws OAuthError `invalid_client` | `invalid_request`
 */
export function presentedClient(headers: Headers, form: Form): PresentedClient | undefined {
  if (form.has("client_assertion")) throw unknown();
  const authorization = headers.get("authorization");
  const id = form.get("client_id");
  const secret = form.get("client_secret");
  if (authorization === null) {
    if (secret === undefined) return undefined;
    if (id === undefined) throw new OAuthError("invalid_request", "client_id is missing");
    return { id, secret };
  }
  if (secret !== undefined) {
    throw new OAuthError("invalid_request", "authenticate in one way, not in two");
  }
  const basic = basicOf(authorization);
  if (id !== undefined && id !== basic.id) {
    throw new OAuthError("invalid_request", "client_id is not the one that authenticates");
  }
  return basic;
}

/**
 * The client whose working secret was presented. One and the same answer for a client there is not,
 * a wrong secret, and one that works no more.
 *
 * @throws OAuthError `invalid_client`
 */
export async function provenClient(
  scope: TenantScope,
  { id, secret }: PresentedClient,
  nowMs: number,
): Promise<SecretRow["client"]> {
  const parsed = parseClientSecret(secret);
  // Both by arithmetic: what is made up costs no look-up.
  if (parsed === undefined || !isId("client", id)) throw unknown();
  const row = await findSecret(scope, id, parsed.secretId);
  const right = row !== undefined && sameHash(row.secretHash, sha256(parsed.secret));
  if (!right || row.revokedAtMs !== null || !row.client.enabled) throw unknown();
  if (row.expiresAtMs !== null && row.expiresAtMs <= nowMs) throw unknown();
  return row.client;
}

function basicOf(authorization: string): PresentedClient {
  const [, base64 = ""] = BASIC.exec(authorization) ?? [];
  const text = latin1(base64);
  const colon = text.indexOf(":");
  const id = formDecoded(text.slice(0, Math.max(0, colon)));
  const secret = formDecoded(text.slice(colon + 1));
  if (colon === -1 || !id || !secret) throw unknown();
  return { id, secret };
}

function latin1(base64: string): string {
  try {
    return atob(base64);
  } catch {
    return "";
  }
}

function unknown(): OAuthError {
  return new OAuthError("invalid_client", "the client is not known, or not by this secret");
}
