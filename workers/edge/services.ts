import type { Access } from "../../core/access/contract.ts";
import type { ClientRow } from "../../core/clients/store.ts";
import { type Config, parseConfig } from "../../core/config.ts";
import type { ConsoleSession } from "../../core/console-sessions/contract.ts";
import { d1Platform } from "../../core/db/d1.ts";
import { neonTransaction } from "../../core/db/neon-driver.ts";
import { neonPlatform } from "../../core/db/neon.ts";
import type { PlatformScope, TenantScope } from "../../core/db/scope.ts";
import { egressFetch } from "../../core/egress/fetch.ts";
import type { KeyRow } from "../../core/keys/store.ts";
import type { Membership } from "../../core/members/store.ts";
import type { Fetch } from "../../core/models/contract.ts";
import type { Tenant } from "../../core/tenants/contract.ts";
import { TokenVerifier } from "../../core/tokens/verifier.ts";
import { countingD1 } from "../../durable-objects/counters.ts";
import type { TenantGateRpc } from "../../durable-objects/tenant-gate/contract.ts";
import { gateStub } from "../../durable-objects/tenant-gate/stub.ts";
import { gateOf } from "../api/gate.ts";
import { ReadCache } from "./cache.ts";
import type { Trusted } from "./issuers.ts";
import { sha256 } from "./hash.ts";
import { KeyUses } from "./key-uses.ts";

/** A tenant as the edge keeps it: with the scope its rows are reached through. */
export type Residence = { readonly tenant: Tenant; readonly scope: TenantScope };

/** What an isolate makes once and every request uses. */
export type Services = {
  readonly config: Config;
  readonly platform: PlatformScope;
  /** SHA-256 of the platform key: compared instead of the key, so that lengths tell nothing. */
  readonly platformKeyHash: string;
  /** By slug. Forget one after a change, so that this isolate sees it at once. */
  readonly tenants: ReadCache<Residence>;
  /** What active hostnames lead to. Forget one after a change. */
  readonly hostnames: ReadCache<{ readonly slug: string }>;
  /** By key id. */
  readonly keys: ReadCache<KeyRow>;
  /** By `memberKey`. */
  readonly members: ReadCache<Membership>;
  /** By tenant, kind and id of the principal. Forgotten by `forgetAccess`. */
  readonly access: ReadCache<Access>;
  /** Issuers a tenant trusts, by its id. */
  readonly issuers: ReadCache<Trusted>;
  /** App clients, by tenant and id. */
  readonly clients: ReadCache<ClientRow>;
  /** By the hash of the cookie. */
  readonly sessions: ReadCache<ConsoleSession>;
  readonly tokens: TokenVerifier;
  /** To issuers and providers outside, under the one egress rule. */
  readonly fetchIssuer: Fetch;
  /** A tenant's gate, for one call. */
  readonly gate: (tenantId: string) => TenantGateRpc;
  readonly keyUses: KeyUses;
};

const TENANTS_KEPT = 2000;
const KEYS_KEPT = 10_000;
const ISSUER_MAX_BYTES = 65_536;
const NEON_ROLE = "berth_app";

const opened = new WeakMap<object, Services>();

/** The services of this isolate. @throws ConfigError on the first request, by name of the setting. */
export function servicesOf(env: Env): Services {
  let services = opened.get(env);
  if (services === undefined) {
    services = openServices(env);
    opened.set(env, services);
  }
  return services;
}

function openServices(env: Env): Services {
  const config = parseConfig({ ...env }, "worker");
  const fetchIssuer = issuerFetch(config);
  return {
    config,
    platform: platformOf(config, env),
    platformKeyHash: sha256(config.platformKey),
    tenants: new ReadCache(config.credentialCacheMs, TENANTS_KEPT),
    hostnames: new ReadCache(config.credentialCacheMs, TENANTS_KEPT),
    keys: new ReadCache(config.credentialCacheMs, KEYS_KEPT),
    access: new ReadCache(config.credentialCacheMs, KEYS_KEPT),
    members: new ReadCache(config.credentialCacheMs, KEYS_KEPT),
    issuers: new ReadCache(config.credentialCacheMs, TENANTS_KEPT),
    clients: new ReadCache(config.credentialCacheMs, KEYS_KEPT),
    sessions: new ReadCache(config.credentialCacheMs, KEYS_KEPT),
    tokens: new TokenVerifier(config, fetchIssuer),
    fetchIssuer,
    gate: (tenantId) => gateOf(env, tenantId),
    keyUses: new KeyUses((tenantId, uses) => gateStub(env, tenantId).count(tenantId, uses)),
  };
}

function platformOf(config: Config, env: Env): PlatformScope {
  if (config.databaseUrl === undefined || config.controlPlane === "d1") {
    return d1Platform(config.benchCounters ? countingD1(env.DB) : env.DB, config.tiers);
  }
  return neonPlatform(neonTransaction(config.databaseUrl), NEON_ROLE, config.tiers);
}

/** Key sets, discovery and tokens of issuers, under the one egress rule. */
function issuerFetch({ egressAllow, baseDomain }: Config): Fetch {
  const rule = { allow: egressAllow, ownHosts: [baseDomain] };
  return egressFetch((request, init) => fetch(request, init), rule, {
    maxBytes: ISSUER_MAX_BYTES,
  });
}
