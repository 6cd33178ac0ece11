import type { KeyUsage } from "../../core/keys/contract.ts";
import { meterOf } from "../../core/keys/row.ts";
import { keyRowOf } from "../../core/keys/store.ts";
import { keyUsage } from "../../core/keys/usage.ts";
import { usageOfPrincipal } from "../../core/usage/store-principal.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import type { Services } from "../edge/services.ts";

const DAY_MS = 86_400_000;

/**
 * How a key was used. What other isolates counted in the last seconds may be missing. Invocations
 * are those of its line: a rotated key goes on under the id of its first.
 *
 * @throws Problem `not_found`
 */
export async function usageOfKey(
  services: Services,
  scope: TenantScope,
  id: string,
  days: number,
  nowMs: number,
): Promise<KeyUsage> {
  const row = await keyRowOf(scope, id);
  const since = new Date(nowMs - (days - 1) * DAY_MS).toISOString().slice(0, 10);
  const { tenantId } = scope;
  await services.keyUses.flush();
  const meter = meterOf(row);
  const [uses, owed, credits] = await Promise.all([
    services.gate(tenantId).usesOf(tenantId, id, since),
    usageOfPrincipal(scope, row.meterId ?? id, since),
    meter?.credits
      ? services.gate(tenantId).creditsLeft(tenantId, meter.subject, meter.credits)
      : null,
  ]);
  return keyUsage(id, uses, owed, credits);
}
