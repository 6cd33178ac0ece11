/** Access tokens to principals. Rules P1–P3 are in ./principal.ts. */
import type { Principal } from "../../core/principals/contract.ts";
import type { TenantArrival } from "./arrival.ts";
import { invalidToken } from "./credential.ts";
import { sha256 } from "./hash.ts";
import { keyRow, principalOfKey } from "./principal-key.ts";
import type { KeyRow } from "../../core/keys/store.ts";

/** @throws Problem as `TokenVerifier.verify` and `principalOfKey`, at once or by rejection */
export function tokenPrincipal(
  arrival: TenantArrival,
  text: string,
): Principal | Promise<Principal> {
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
