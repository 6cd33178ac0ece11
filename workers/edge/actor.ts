import type { Actor, Principal } from "../../core/principals/contract.ts";
import type { Arrival } from "./arrival.ts";

/**
 * The client's address, as Cloudflare's network says it; null where it does not. A client cannot
 * set this header there; on one machine whatever stands before the server must set or drop it.
 */
export function addressOf({ headers }: Request): string | null {
  return headers.get("cf-connecting-ip");
}

/** Who acts, for the audit. */
export function actorOf({ kind, id, ownerId }: Principal, { request, requestId }: Arrival): Actor {
  const by = { kind, id, address: addressOf(request), requestId };
  return ownerId === undefined ? by : { ...by, ownerId };
}
