/**
 * A request whose host is settled: what every later stage takes. There is no other way to a
 * principal, and none to a tenant's rows, than through one of these.
 */
import type { Host } from "../../core/hosts/parse.ts";
import { authorityOf, hostOf } from "./hosts.ts";
import type { Residence, Services } from "./services.ts";
import { residenceOf } from "./tenant.ts";

export type Arrival = PlatformArrival | TenantArrival;

type Common = {
  readonly request: Request;
  readonly requestId: string;
  /** Epoch ms at which the request came in. */
  readonly nowMs: number;
  readonly host: Host;
  /** `https://acme.example.com`, with the port the caller used. */
  readonly origin: string;
  readonly services: Services;
  /** Keeps work alive after the request that began it is gone. */
  readonly keep: (work: Promise<unknown>) => void;
};

export type PlatformArrival = Common & { readonly at: "platform" };
export type TenantArrival = Common & { readonly at: "tenant"; readonly residence: Residence };

export type Knock = Pick<Common, "request" | "requestId" | "nowMs" | "services" | "keep">;

/**
 * Where a request has arrived; a promise only when the store must be asked for the tenant.
 *
 * @throws Problem `not_found`, at once or by rejection
 */
export function arrive(knock: Knock): Arrival | Promise<Arrival> {
  const { config } = knock.services;
  const authority = authorityOf(knock.request);
  const host = hostOf(authority, config.baseDomain);
  const origin = `${config.scheme}://${authority.toLowerCase()}`;
  const common = { ...knock, host, origin };
  if (host.kind === "platform") return { ...common, at: "platform" };
  const found = residenceOf(knock.services, host, knock.nowMs, knock.keep);
  return found instanceof Promise
    ? found.then((residence) => ({ ...common, at: "tenant" as const, residence }))
    : { ...common, at: "tenant", residence: found };
}
