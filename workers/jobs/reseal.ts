/**
 * Rotations, a bounded piece at a time: once a minute by cron, and once when a tenant asks for it.
 *
 * Z1  Everything opens at every moment: a value, or a key, is replaced by one sealed anew while
 *     both keys are there, and only where it still is what was read.
 * Z2  Each piece stands by itself; whatever stops it, the next one goes on where the rows are.
 * Z3  A value that does not open is told and passed over; it holds up nobody else.
 */
import type { Config } from "../../core/config.ts";
import type { Sealing } from "../../core/data-keys/contract.ts";
import {
  countByMaster,
  destroyRetired,
  keysUnder,
  putRewrapped,
  retiringKeys,
  rotateDataKey,
} from "../../core/data-keys/store-rotate.ts";
import {
  countSealed,
  putSealed,
  type SealedValue,
  sealedValues,
  tenantsUnder,
  underDataKey,
  underMasterKey,
} from "../../core/data-keys/store-sealed.ts";
import { type PlatformScope, type TenantScope, tenantScope } from "../../core/db/scope.ts";
import { createSealer, forgeDataKey, rewrap } from "../../core/seal/seal.ts";
import { aead } from "../../durable-objects/aead.ts";
import type { Services } from "../edge/services.ts";
import { sealerOf } from "../edge/sealing.ts";
import { logFault } from "./batch.ts";

/** Data keys wrapped anew in one piece. */
const KEYS = 100;
/** Tenants whose values are sealed anew in one piece. */
const TENANTS = 20;
/** Values of one tenant sealed anew in one piece. */
const VALUES = 100;

/** Looking for such old values reads whole tables: once an hour will do, but for a rotation. */
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

type Sealed = Pick<Services, "config">;

/** One piece of every rotation that is under way. */
export async function resealSome(
  platform: PlatformScope,
  config: Config,
  nowMs: number,
): Promise<void> {
  await rewrapSome(platform, config, nowMs);
  if (config.masterKeys.length > 1 || nowMs % HOUR_MS < MINUTE_MS) {
    for (const { kid } of config.masterKeys) await adoptSome(platform, config, kid, nowMs);
  }
  for (const { tenantId, id } of await retiringKeys(platform, TENANTS)) {
    const scope = tenantScope(platform, tenantId);
    await passing(() => finishRetiring({ config }, scope, id, nowMs));
  }
}

/** Values directly under a master key, from before there were data keys, get under one. */
async function adoptSome(
  platform: PlatformScope,
  config: Config,
  kid: string,
  nowMs: number,
): Promise<void> {
  for (const tenantId of await tenantsUnder(platform, kid, TENANTS)) {
    const scope = tenantScope(platform, tenantId);
    await passing(() => resealValues({ config }, scope, underMasterKey(kid), nowMs));
  }
}

/** Data keys that an earlier master key wraps are wrapped by the first one. */
async function rewrapSome(
  platform: PlatformScope,
  { masterKeys }: Config,
  nowMs: number,
): Promise<void> {
  const earlier = masterKeys.slice(1).map(({ kid }) => kid);
  const master = createSealer(aead, masterKeys);
  for (const { tenantId, ...key } of await keysUnder(platform, earlier, KEYS)) {
    const scope = tenantScope(platform, tenantId);
    await passing(async () => putRewrapped(scope, key, rewrap(master, tenantId, key), nowMs));
  }
}

/** Values whose blobs begin like this are sealed under the tenant's active key. */
async function resealValues(
  services: Sealed,
  scope: TenantScope,
  beginning: string,
  nowMs: number,
): Promise<void> {
  const values = await sealedValues(scope, beginning, VALUES);
  if (values.length === 0) return;
  const sealer = await sealerOf(services, scope, nowMs);
  const again: (SealedValue & { readonly again: string })[] = [];
  for (const { place, blob } of values) {
    await passing(async () => {
      again.push({ place, blob, again: sealer.seal(place, sealer.open(place, blob)) });
    });
  }
  await putSealed(scope, again, nowMs);
}

/** What is left under a retiring key, then the key itself. */
async function finishRetiring(
  services: Sealed,
  scope: TenantScope,
  id: string,
  nowMs: number,
): Promise<void> {
  await resealValues(services, scope, underDataKey(id), nowMs);
  await destroyRetired(scope, id, nowMs);
}

/**
 * A new data key for the tenant, and the first piece of what is to be sealed under it.
 *
 * @throws Problem `conflict`
 */
export async function rotateTenantKey(
  services: Sealed,
  scope: TenantScope,
  activeId: string,
  nowMs: number,
): Promise<void> {
  const master = createSealer(aead, services.config.masterKeys);
  await rotateDataKey(scope, activeId, (tenantId, id) => forgeDataKey(master, tenantId, id), nowMs);
  await resealValues(services, scope, underDataKey(activeId), nowMs);
}

/** What each master key still holds. */
export async function sealingOf(platform: PlatformScope, { masterKeys }: Config): Promise<Sealing> {
  const wrapped = await countByMaster(platform);
  const configured = masterKeys.map(({ kid }) => kid);
  const kids = [...new Set([...configured, ...wrapped.keys()])];
  const stateOf = (kid: string) => {
    if (kid === configured[0]) return "seals" as const;
    return configured.includes(kid) ? ("opens" as const) : ("missing" as const);
  };
  const states = kids.map(async (kid) => ({
    kid,
    state: stateOf(kid),
    data_keys: wrapped.get(kid) ?? 0,
    values: await countSealed(platform, underMasterKey(kid)),
  }));
  return { master_keys: await Promise.all(states) };
}

/** Z3 */
async function passing(piece: () => Promise<void>): Promise<void> {
  try {
    await piece();
  } catch (error) {
    logFault("reseal", error);
  }
}
