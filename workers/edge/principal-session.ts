/** Console sessions to principals. Rules P1–P3 are in ./principal.ts. */
import type { ConsoleSession } from "../../core/console-sessions/contract.ts";
import { findConsoleSession } from "../../core/console-sessions/store.ts";
import type { Principal } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import type { TenantArrival } from "./arrival.ts";
import { invalidToken } from "./credential.ts";
import { sha256 } from "./hash.ts";
import { keyRow, principalOfKey } from "./principal-key.ts";
import { userPrincipal } from "./principal-user.ts";

/** A console session stands for the key or the user it was made for, and ends with it. */
export async function sessionPrincipal(arrival: TenantArrival, token: string): Promise<Principal> {
  const { services, residence, nowMs, keep } = arrival;
  const hash = sha256(token);
  const read = () => findConsoleSession(services.platform, hash);
  const session = await services.sessions.get(hash, nowMs, read, keep);
  if (session === undefined || session.tenantId !== residence.tenant.id) throw invalidToken();
  if (session.expiresAtMs <= nowMs) throw new Problem("token_expired", "the session has ended");
  const principal = await holder(arrival, session);
  const endsAtMs = Math.min(session.expiresAtMs, principal.endsAtMs ?? session.expiresAtMs);
  return { ...principal, endsAtMs, consoleSession: hash };
}

async function holder(arrival: TenantArrival, session: ConsoleSession): Promise<Principal> {
  if (session.userId !== null) return userPrincipal(arrival, session.userId, session.createdAtMs);
  const row = await keyRow(arrival, session.keyId);
  if (row === undefined) throw invalidToken();
  return principalOfKey(row, arrival, arrival.origin);
}
