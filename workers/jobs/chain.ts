/**
 * Waking the gate that chains a tenant's audit trail: soon after a change, and once a minute for
 * what is left. A wake-up that is lost costs a minute; the rows are the record.
 */
import type { MiddlewareHandler } from "hono";
import { tenantsWaiting } from "../../core/audit/store-chain.ts";
import type { PlatformScope } from "../../core/db/scope.ts";
import type { TenantGateRpc } from "../../durable-objects/tenant-gate/contract.ts";
import { gateOf } from "../api/gate.ts";
import type { TenantArrival } from "../edge/arrival.ts";
import type { AppEnv } from "../edge/context.ts";
import type { Services } from "../edge/services.ts";
import { logFault } from "./batch.ts";

/** A tenant's gate is woken by this isolate at most this often. */
const WAKE_MS = 1000;
const TENANTS_KEPT = 5000;
/** Asked often, and they write no entry: a call a second to the gate would be for nothing. */
const QUIET = new Set(["/v1/keys/verify", "/auth/token"]);
/** Tenants asked for at once by the sweep. */
const PAGE = 100;

const woken = new WeakMap<Services, Map<string, number>>();

/** Behind a change that went through, the tenant's gate chains what it left. */
export function chainsChanges(): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    await next();
    if (c.req.method === "GET" || !c.res.ok || QUIET.has(c.req.path)) return;
    const arrival = c.get("arrival");
    if (arrival.at === "tenant") wakeChain(c.env, arrival);
  };
}

/** Have what the tenant's trail got just now chained, after the answer. */
export function wakeChain(env: Env, { services, residence, nowMs, keep }: TenantArrival): void {
  const { tenantId } = residence.scope;
  const times = woken.get(services) ?? new Map<string, number>();
  const lastMs = times.get(tenantId);
  if (lastMs !== undefined && Math.abs(nowMs - lastMs) < WAKE_MS) return;
  if (times.size >= TENANTS_KEPT) times.clear();
  woken.set(services, times.set(tenantId, nowMs));
  keep(chain(gateOf(env, tenantId), tenantId));
}

/** Cron: chain every tenant's tail. Returns how many tenants had one. */
export async function chainTails(
  platform: PlatformScope,
  gate: (tenantId: string) => Pick<TenantGateRpc, "chain">,
): Promise<number> {
  let after = "";
  let count = 0;
  for (;;) {
    const tenants = await tenantsWaiting(platform, after, PAGE);
    for (const tenantId of tenants) await chain(gate(tenantId), tenantId);
    count += tenants.length;
    after = tenants.at(-1) ?? after;
    if (tenants.length < PAGE) return count;
  }
}

/** A fault of one tenant's keeps nobody else's: what is left waits for the next sweep. */
async function chain(gate: Pick<TenantGateRpc, "chain">, tenantId: string): Promise<void> {
  try {
    await gate.chain(tenantId);
  } catch (error) {
    logFault("chain", error);
  }
}
