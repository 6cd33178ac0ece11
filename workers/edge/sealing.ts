/** Sealing for a tenant: under its own data key, which is kept wrapped by the master key. */
import { ensureDataKeys } from "../../core/data-keys/store.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import type { Sealer } from "../../core/seal/contract.ts";
import { createSealer, createTenantSealer, forgeDataKey } from "../../core/seal/seal.ts";
import { aead } from "../../durable-objects/aead.ts";
import type { Services } from "./services.ts";

/**
 * Seals under the tenant's data key of now, made at its first need; opens what any of its keys, or
 * a master key, has sealed. For one request: a kept one would seal under a key that is gone.
 *
 * @throws Problem `conflict`  for a tenant that is being erased
 */
export async function sealerOf(
  { config }: Pick<Services, "config">,
  scope: TenantScope,
  nowMs: number,
): Promise<Sealer> {
  const master = createSealer(aead, config.masterKeys);
  const forge = (tenantId: string, id: string) => forgeDataKey(master, tenantId, id);
  const keys = await ensureDataKeys(scope, forge, nowMs);
  return createTenantSealer(aead, master, scope.tenantId, keys);
}

/** Seals texts of one kind, each for the row it will stand in. */
export function sealsAs(
  kind: string,
  services: Pick<Services, "config">,
  scope: TenantScope,
  nowMs: number,
): (id: string, text: string) => Promise<string> {
  return async (id, text) => {
    const sealer = await sealerOf(services, scope, nowMs);
    return sealer.seal({ tenantId: scope.tenantId, kind, id }, text);
  };
}
