/** Access tokens to principals. Rules P1–P3 are in ./principal.ts. */
import type { KeyRow } from "../../core/keys/store.ts";
import type { Principal } from "../../core/principals/contract.ts";
import type { Verified } from "../../core/tokens/contract.ts";
import type { TenantArrival } from "./arrival.ts";
import { invalidToken } from "./credential.ts";
import { sha256 } from "./hash.ts";
import { issuersOf } from "./issuers.ts";
import { clientPrincipal } from "./principal-client.ts";
import { keyRow, principalOfKey } from "./principal-key.ts";
import { userPrincipal } from "./principal-user.ts";

/**
 * @throws Problem as `TokenVerifier.verify` and whoever judges what the token stands for, at once
 *         or by rejection
 */
export function tokenPrincipal(
  arrival: TenantArrival,
  text: string,
): Principal | Promise<Principal> {
  const found = arrival.services.tokens.verify(text, {
    tenant: arrival.residence.tenant,
    origin: arrival.origin,
    hash: sha256(text),
    nowMs: arrival.nowMs,
    issuers: () => issuersOf(arrival),
  });
  return found instanceof Promise
    ? found.then((verified) => asNow(arrival, verified))
    : asNow(arrival, found);
}

/** A token of ours is worth no more than what it was made for is worth now (G10). */
function asNow(arrival: TenantArrival, verified: Verified): Principal | Promise<Principal> {
  if (!verified.own) return verified.principal;
  const now = standing(arrival, verified);
  return now instanceof Promise
    ? now.then((it) => within(verified.principal, it))
    : within(verified.principal, now);
}

/** Whoever one of our tokens speaks for, as it stands now. */
function standing(
  arrival: TenantArrival,
  { principal, beganAtMs }: Verified,
): Principal | Promise<Principal> {
  const { kind, id } = principal;
  if (kind === "app_client") return clientPrincipal(arrival, id);
  if (kind === "user") return userPrincipal(arrival, id, beganAtMs);
  const judge = (row: KeyRow | undefined): Principal | Promise<Principal> => {
    if (row === undefined) throw invalidToken();
    return principalOfKey(row, arrival);
  };
  const row = keyRow(arrival, id);
  return row instanceof Promise ? row.then(judge) : judge(row);
}

/**
 * Scopes, statements and limits of now, and no scope that the token has not. What either is narrowed
 * to, both are; a token for another part than its key now opens is worth nothing.
 */
function within(token: Principal, now: Principal): Principal {
  const { scopes, grants, meter, ownerId, lineId } = now;
  const narrowing: { -readonly [N in (typeof NARROWINGS)[number]]?: string } = {};
  for (const name of NARROWINGS) {
    const [made, held] = [token[name], now[name]];
    if (made !== undefined && held !== undefined && made !== held) throw invalidToken();
    const narrowed = made ?? held;
    if (narrowed !== undefined) narrowing[name] = narrowed;
  }
  return {
    ...token,
    ...narrowing,
    scopes: token.scopes.filter((scope) => scopes.includes(scope)),
    ...(grants === undefined ? {} : { grants }),
    ...(meter === undefined ? {} : { meter }),
    ...(ownerId === undefined ? {} : { ownerId }),
    ...(lineId === undefined ? {} : { lineId }),
  };
}

const NARROWINGS = ["projectId", "agentId", "environment"] as const;
