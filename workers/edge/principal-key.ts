/** API keys to principals. Rules P1–P3 are in ./principal.ts. */
import { parseKey, sameHash } from "../../core/keys/format.ts";
import { type KeyRow, findKey } from "../../core/keys/store.ts";
import type { Principal } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import type { TenantArrival } from "./arrival.ts";
import type { Found } from "./cache.ts";
import { invalidToken } from "./credential.ts";
import { sha256 } from "./hash.ts";

/** @throws Problem `invalid_token` | `key_revoked` | `token_expired`, at once or by rejection */
export function keyPrincipal(arrival: TenantArrival, text: string): Principal | Promise<Principal> {
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

/** The row of a key id, from what this isolate knows. */
export function keyRow({ services, nowMs, keep }: TenantArrival, keyId: string): Found<KeyRow> {
  return services.keys.get(keyId, nowMs, () => findKey(services.platform, keyId), keep);
}

/** What a key is worth at this host now. @throws Problem `invalid_token` | `key_revoked` | `token_expired` */
export function principalOfKey(row: KeyRow, { residence, nowMs }: TenantArrival): Principal {
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
