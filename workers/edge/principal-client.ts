/** App clients to principals: what a token of a client's is worth now. */
import type { Access } from "../../core/access/contract.ts";
import { clientAccess } from "../../core/clients/access.ts";
import { type ClientRow, findClient } from "../../core/clients/store.ts";
import type { Principal } from "../../core/principals/contract.ts";
import { accessOf } from "./access.ts";
import type { TenantArrival } from "./arrival.ts";
import { invalidToken } from "./credential.ts";
import type { Services } from "./services.ts";

/**
 * The client with all it may do now; a promise only when something must be read.
 *
 * @throws Problem `invalid_token` for one that is gone or disabled, at once or by rejection
 */
export function clientPrincipal(
  arrival: TenantArrival,
  id: string,
): Principal | Promise<Principal> {
  const row = clientRow(arrival, id);
  const access = accessOf(arrival, "app_client", id);
  if (row instanceof Promise || access instanceof Promise) {
    return Promise.all([row, access]).then(([client, assigned]) =>
      principalOfClient(arrival, client, assigned),
    );
  }
  return principalOfClient(arrival, row, access);
}

/** A client has changed: this isolate sees it at once. */
export function forgetClient({ clients }: Services, tenantId: string, id: string): void {
  clients.forget(clientKey(tenantId, id));
}

function clientKey(tenantId: string, id: string): string {
  return `${tenantId} ${id}`;
}

function clientRow({ services, residence, nowMs, keep }: TenantArrival, id: string) {
  const { scope } = residence;
  const read = () => findClient(scope, id);
  return services.clients.get(clientKey(scope.tenantId, id), nowMs, read, keep);
}

function principalOfClient(
  { residence }: TenantArrival,
  client: ClientRow | undefined,
  assigned: Access | undefined,
): Principal {
  if (client === undefined || !client.enabled) throw invalidToken();
  const { scopes, grants } = clientAccess(client.scopes, assigned);
  return {
    kind: "app_client",
    id: client.id,
    tenantId: residence.tenant.id,
    scopes,
    ...(grants.length === 0 ? {} : { grants }),
  };
}
