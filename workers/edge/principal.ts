/**
 * Credential to Principal, on the host it was presented at.
 *
 * P1  A credential of another tenant, one that never existed and one with a wrong secret get the
 *     same answer. Only the holder of the right secret learns that its key was revoked or expired.
 * P2  A form is checked by arithmetic before anything is read.
 * P3  What is kept is the row, never the verdict: secret, tenant, revocation and expiry are
 *     checked on each request.
 */
import { findConsoleSession } from "../../core/console-sessions/store.ts";
import { parseKey, sameHash } from "../../core/keys/format.ts";
import { type KeyRow, findKey } from "../../core/keys/store.ts";
import type { Principal } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import type { Arrival, PlatformArrival, TenantArrival } from "./arrival.ts";
import type { Found } from "./cache.ts";
import { credentialOf, invalidToken } from "./credential.ts";
import { sha256 } from "./hash.ts";

const PLATFORM: Principal = {
  kind: "platform",
  id: "platform",
  tenantId: null,
  scopes: ["tenants:provision", "tenants:read"],
};

/**
 * The request's principal; a promise only when something must be read or verified.
 * `undefined` when no credential is presented.
 *
 * @throws Problem `invalid_token` | `token_expired` | `key_revoked` | `bad_request` | `origin_refused`,
 *         at once or by rejection
 */
export function principalOf(arrival: Arrival): Found<Principal> {
  return arrival.at === "platform" ? platformPrincipal(arrival) : tenantPrincipal(arrival);
}

function platformPrincipal(arrival: PlatformArrival): Principal | undefined {
  const credential = credentialOf(arrival.request, arrival.origin);
  if (credential === undefined) return undefined;
  const { platformKeyHash } = arrival.services;
  if (credential.kind !== "bearer" || !sameHash(sha256(credential.text), platformKeyHash)) {
    throw invalidToken();
  }
  return PLATFORM;
}

function tenantPrincipal(arrival: TenantArrival): Found<Principal> {
  const credential = credentialOf(arrival.request, arrival.origin);
  if (credential === undefined) return undefined;
  if (credential.kind === "cookie") return sessionPrincipal(arrival, credential.text);
  return credential.text.startsWith("berth_")
    ? keyPrincipal(arrival, credential.text)
    : tokenPrincipal(arrival, credential.text);
}

function keyPrincipal(arrival: TenantArrival, text: string): Principal | Promise<Principal> {
  const key = parseKey(text);
  if (key === undefined) throw invalidToken(); // P2
  const secretHash = sha256(key.secret);
  const judge = (row: KeyRow | undefined): Principal => {
    if (row === undefined || !sameHash(row.secretHash, secretHash)) throw invalidToken();
    return principalOfKey(row, arrival);
  };
  const row = keyRow(arrival, key.keyId);
  return row instanceof Promise ? row.then(judge) : judge(row);
}

/** A console session stands for the key it was made from, and ends with it. */
async function sessionPrincipal(arrival: TenantArrival, token: string): Promise<Principal> {
  const { services, residence, nowMs, keep } = arrival;
  const hash = sha256(token);
  const read = () => findConsoleSession(services.platform, hash);
  const session = await services.sessions.get(hash, nowMs, read, keep);
  if (session === undefined || session.tenantId !== residence.tenant.id) throw invalidToken();
  if (session.expiresAtMs <= nowMs) throw new Problem("token_expired", "the session has ended");
  const row = await keyRow(arrival, session.keyId);
  if (row === undefined) throw invalidToken();
  const principal = principalOfKey(row, arrival);
  const endsAtMs = Math.min(session.expiresAtMs, principal.endsAtMs ?? session.expiresAtMs);
  return { ...principal, endsAtMs, consoleSession: hash };
}

function tokenPrincipal(arrival: TenantArrival, text: string): Principal | Promise<Principal> {
  const found = arrival.services.tokens.verify(text, {
    tenant: arrival.residence.tenant,
    origin: arrival.origin,
    hash: sha256(text),
    nowMs: arrival.nowMs,
  });
  return found instanceof Promise
    ? found.then((principal) => stillGranted(arrival, principal))
    : stillGranted(arrival, found);
}

/** A token minted for a key is worth no more than the key is now (G10). */
function stillGranted(
  arrival: TenantArrival,
  principal: Principal,
): Principal | Promise<Principal> {
  if (principal.kind !== "key") return principal;
  const judge = (row: KeyRow | undefined): Principal => {
    if (row === undefined) throw invalidToken();
    const { scopes } = principalOfKey(row, arrival);
    return { ...principal, scopes: principal.scopes.filter((scope) => scopes.includes(scope)) };
  };
  const row = keyRow(arrival, principal.id);
  return row instanceof Promise ? row.then(judge) : judge(row);
}

function keyRow({ services, nowMs, keep }: TenantArrival, keyId: string): Found<KeyRow> {
  return services.keys.get(keyId, nowMs, () => findKey(services.platform, keyId), keep);
}

function principalOfKey(row: KeyRow, { residence, nowMs }: TenantArrival): Principal {
  if (row.tenantId !== residence.tenant.id) throw invalidToken(); // P1
  if (row.revokedAtMs !== null) throw new Problem("key_revoked", "this key was revoked");
  if (row.expiresAtMs !== null && row.expiresAtMs <= nowMs) {
    throw new Problem("token_expired", "this key has expired");
  }
  return {
    kind: "key",
    id: row.id,
    tenantId: row.tenantId,
    scopes: row.scopes,
    ...(row.agentId === null ? {} : { agentId: row.agentId }),
    ...(row.environment === null ? {} : { environment: row.environment }),
    ...(row.expiresAtMs === null ? {} : { endsAtMs: row.expiresAtMs }),
  };
}
