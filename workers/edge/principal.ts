/**
 * Credential to Principal, on the host it was presented at.
 *
 * P1  A credential of another tenant, one that never existed and one with a wrong secret get the
 *     same answer. Only the holder of the right secret learns that its key was revoked or expired.
 * P2  A form is checked by arithmetic before anything is read.
 * P3  What is kept is the row, never the verdict: secret, tenant, revocation and expiry are
 *     checked on each request.
 */
import { sameHash } from "../../core/keys/format.ts";
import { PLATFORM_SCOPES, type Principal } from "../../core/principals/contract.ts";
import type { Arrival, PlatformArrival, TenantArrival } from "./arrival.ts";
import type { Found } from "./cache.ts";
import { credentialOf, invalidToken } from "./credential.ts";
import { sha256 } from "./hash.ts";
import { keyPrincipal } from "./principal-key.ts";
import { sessionPrincipal } from "./principal-session.ts";
import { tokenPrincipal } from "./principal-token.ts";
import { admitted } from "./suspension.ts";

const PLATFORM: Principal = {
  kind: "platform",
  id: "platform",
  tenantId: null,
  scopes: PLATFORM_SCOPES,
};

/**
 * The request's principal; a promise only when something must be read or verified.
 * `undefined` when no credential is presented.
 *
 * @throws Problem `invalid_token` | `token_expired` | `key_revoked` | `bad_request` | `origin_refused` |
 *         `suspended`, at once or by rejection
 */
export function principalOf(arrival: Arrival): Found<Principal> {
  if (arrival.at === "platform") return platformPrincipal(arrival);
  const found = tenantPrincipal(arrival);
  if (arrival.residence.tenant.status === "active") return found;
  return found instanceof Promise
    ? found.then((principal) => admitted(arrival, principal))
    : admitted(arrival, found);
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
