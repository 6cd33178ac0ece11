/**
 * What a route has, stage by stage.
 *
 * The types carry the order: a route of a tenant has a verified `scope`, a platform route has not;
 * `principal` is there only behind `may`. A route that skips a stage does not compile.
 */
import type { Config } from "../../core/config.ts";
import type { PlatformScope, TenantScope } from "../../core/db/scope.ts";
import type { Host } from "../../core/hosts/parse.ts";
import type { Principal } from "../../core/principals/contract.ts";
import type { Tenant } from "../../core/tenants/contract.ts";
import type { Arrival } from "./arrival.ts";
import type { Services } from "./services.ts";

/** Set for every request whose host is ours. */
export type EdgeVariables = {
  readonly arrival: Arrival;
  readonly requestId: string;
  readonly traceparent: string | undefined;
  /** Epoch ms at which the request came in. */
  readonly nowMs: number;
  readonly host: Host;
  /** `https://acme.example.com`: what links, issuers and Origin checks are made of. */
  readonly origin: string;
  readonly config: Config;
  readonly services: Services;
};

export type TenantVariables = EdgeVariables & {
  readonly tenant: Tenant;
  readonly scope: TenantScope;
};

export type PlatformVariables = EdgeVariables & { readonly platform: PlatformScope };

export type WithPrincipal = { Variables: { readonly principal: Principal } };

/** Routes on a tenant's host. */
export type AppEnv = { Bindings: Env; Variables: TenantVariables };

/** Routes on the platform's host. */
export type PlatformEnv = { Bindings: Env; Variables: PlatformVariables };

/** What both kinds have, for middleware that serves both. */
export type EdgeEnv = { Bindings: Env; Variables: EdgeVariables };
