/** Principals that did not come with the request: somebody asks about them. */
import { isId } from "../../core/ids.ts";
import { lapseOf } from "../../core/keys/judge.ts";
import type { Principal } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import { accessOf } from "./access.ts";
import type { TenantArrival } from "./arrival.ts";
import { clientPrincipal } from "./principal-client.ts";
import { boundedPrincipal, keyRow } from "./principal-key.ts";

/** A user, an app client or a key of this tenant as it stands now; undefined for what is none. */
export async function principalById(
  arrival: TenantArrival,
  id: string,
): Promise<Principal | undefined> {
  const { tenantId } = arrival.residence.scope;
  if (isId("user", id)) {
    const access = await accessOf(arrival, "user", id);
    return access && { kind: "user", id, tenantId, ...access };
  }
  if (isId("client", id)) return standingClient(arrival, id);
  if (!isId("key", id)) return undefined;
  const row = await keyRow(arrival, id);
  if (row?.tenantId !== tenantId || lapseOf(row, arrival.nowMs) !== undefined) return undefined;
  return boundedPrincipal(row, arrival);
}

async function standingClient(arrival: TenantArrival, id: string): Promise<Principal | undefined> {
  try {
    return await clientPrincipal(arrival, id);
  } catch (error) {
    if (error instanceof Problem) return undefined; // gone, or disabled
    throw error;
  }
}
