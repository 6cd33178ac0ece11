/** API keys to principals. Rules P1–P3 are in ./principal.ts. */
import type { Access } from "../../core/access/contract.ts";
import { idInKey, parseKey, sameHash } from "../../core/keys/format.ts";
import {
  type KeyFault,
  type Whence,
  keyCodeOf,
  lapseOf,
  misplaced,
} from "../../core/keys/judge.ts";
import { boundTo, principalOfRow } from "../../core/keys/principal.ts";
import { type KeyRow, findKey } from "../../core/keys/store.ts";
import type { Principal } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import { accessOf } from "./access.ts";
import { addressOf } from "./actor.ts";
import type { TenantArrival } from "./arrival.ts";
import type { Found } from "./cache.ts";
import { invalidToken } from "./credential.ts";
import { sha256 } from "./hash.ts";

/** @throws Problem as `principalOfKey`, at once or by rejection */
export function keyPrincipal(arrival: TenantArrival, text: string): Principal | Promise<Principal> {
  const before = proven(arrival, text);
  if (before !== undefined) return principalOfKey(before, arrival);
  const key = parseKey(text);
  if (key === undefined) throw invalidToken(); // P2
  const secretHash = sha256(key.secret);
  const judge = (row: KeyRow | undefined): Principal | Promise<Principal> => {
    if (row === undefined || !sameHash(row.secretHash, secretHash)) throw invalidToken();
    proofs.set(row, text);
    return principalOfKey(row, arrival);
  };
  const row = keyRow(arrival, key.keyId);
  return row instanceof Promise ? row.then(judge) : judge(row);
}

/** The text that a kept row was last found good for; gone with the row, within the cache time. */
const proofs = new WeakMap<KeyRow, string>();

/**
 * The row of a key that was presented a moment ago, letter for letter: its form and its hash are
 * known. Compared in a time that depends on its length alone.
 */
function proven({ services, nowMs }: TenantArrival, text: string): KeyRow | undefined {
  const row = services.keys.fresh(idInKey(text), nowMs);
  const proof = row && proofs.get(row);
  return proof !== undefined && sameHash(proof, text) ? row : undefined;
}

/** The row of a key id, from what this isolate knows. */
export function keyRow({ services, nowMs, keep }: TenantArrival, keyId: string): Found<KeyRow> {
  return services.keys.get(keyId, nowMs, () => findKey(services.platform, keyId), keep);
}

/**
 * What a key is worth at this host now; a promise only when its owner must be looked up.
 *
 * @param origin  Of the page that uses it, as the request says unless it is known better: a session
 *                that stands for the key is of this very host.
 * @throws Problem `invalid_token` | `key_revoked` | `key_disabled` | `token_expired` |
 *         `address_refused` | `origin_refused`
 */
export function principalOfKey(
  row: KeyRow,
  arrival: TenantArrival,
  origin?: string,
): Principal | Promise<Principal> {
  if (row.tenantId !== arrival.residence.tenant.id) throw invalidToken(); // P1
  const fault = lapseOf(row, arrival.nowMs) ?? misplaced(row, () => whence(arrival, origin));
  if (fault !== undefined) throw refused(arrival, row, fault);
  if (row.ownerId === null) return principalOfRow(row);
  const owned = (principal: Principal | undefined): Principal => {
    if (principal === undefined) throw refused(arrival, row, OWNERLESS);
    return principal;
  };
  const found = boundedPrincipal(row, arrival);
  return found instanceof Promise ? found.then(owned) : owned(found);
}

/**
 * A good key as a principal. A personal one may what it was made for as far as its owner may that
 * now; undefined when its owner is no member any more.
 */
export function boundedPrincipal(row: KeyRow, arrival: TenantArrival): Found<Principal> {
  if (row.ownerId === null) return principalOfRow(row);
  const bound = (access: Access | undefined) => access && boundTo(row, access);
  const access = accessOf(arrival, "user", row.ownerId);
  return access instanceof Promise ? access.then(bound) : bound(access);
}

function whence({ request }: TenantArrival, origin: string | undefined): Whence {
  return { address: addressOf(request), origin: origin ?? request.headers.get("origin") };
}

const OWNERLESS: KeyFault = { code: "key_disabled", detail: "its owner is no member any more" };

function refused({ services, nowMs, keep }: TenantArrival, row: KeyRow, fault: KeyFault): Problem {
  const key = { tenantId: row.tenantId, keyId: row.id };
  services.keyUses.count(key, keyCodeOf(fault.code), nowMs, keep);
  return new Problem(fault.code, fault.detail);
}
