/** Whom a token may be of, and what is then expected of it. */
import type { TokenIssuer } from "../config.ts";
import type { Principal } from "../principals/contract.ts";
import {
  type Expectation,
  foreignPrincipal,
  LIFETIME_MAX_SECONDS,
  ownPrincipal,
} from "./claims.ts";
import type { TenantIssuer } from "./contract.ts";
import type { Jwk } from "./jwk.ts";
import { TOKEN_TYPE } from "./signer.ts";
import type { JsonObject } from "./strict-json.ts";

/** What is pinned for one issuer. */
export type Trust = Expectation & {
  readonly alg: string;
  /** Lower case, without `application/`; `""` where a token may leave it out. */
  readonly types: readonly string[];
  readonly keys: readonly Jwk[] | { readonly url: string };
  readonly principal: (claims: JsonObject) => Principal | undefined;
  /** The tenant's own issuer behind it. */
  readonly by?: TenantIssuer;
};

type At = { readonly tenant: { readonly id: string; readonly slug: string } };

/** Every key of ours has one algorithm of its own, and a token of ours names its key. */
export function ownTrust(
  keys: readonly Jwk[],
  kid: string | undefined,
  { origin, tenant }: At & { readonly origin: string },
): Trust | undefined {
  const key = keys.find((it) => it["kid"] === kid);
  const alg = key?.["alg"];
  if (key === undefined || typeof alg !== "string") return undefined;
  return {
    issuer: origin,
    audience: origin,
    oneAudience: true,
    tenant: { claim: "tenant_id", names: [tenant.id], needed: true },
    maxLifetimeSeconds: LIFETIME_MAX_SECONDS,
    alg,
    types: [TOKEN_TYPE],
    keys: [key],
    principal: (claims) => ownPrincipal(claims, tenant.id),
  };
}

/** An issuer of the whole installation: only the tenant a token names may be meant. */
export function configuredTrust(it: TokenIssuer, { tenant }: At): Trust | undefined {
  const { jwk, jwks_uri: url } = it;
  const keys = jwk === undefined ? url && { url } : [jwk];
  if (!keys) return undefined;
  return {
    issuer: it.issuer,
    audience: it.audience,
    oneAudience: true,
    tenant: { claim: it.tenant_claim, names: [tenant.id, tenant.slug], needed: true },
    maxLifetimeSeconds: LIFETIME_MAX_SECONDS,
    alg: it.alg,
    types: [it.typ.toLowerCase()],
    keys,
    principal: (claims) => foreignPrincipal(claims, it.issuer, tenant.id),
  };
}

/** An issuer of this tenant's: what it says of the tenant need not be said, and must not differ. */
export function tenantTrust(by: TenantIssuer, { tenant }: At): Trust {
  const { tenantClaim: claim, tenantNames: names } = by;
  return {
    issuer: by.issuer,
    audience: by.audience,
    oneAudience: false,
    ...(claim === null ? {} : { tenant: { claim, names, needed: false } }),
    maxLifetimeSeconds: by.maxLifetimeSeconds,
    alg: by.alg,
    types: by.typ === "JWT" ? ["jwt", ""] : [TOKEN_TYPE],
    keys: "secret" in by.keys ? [by.keys.secret] : by.keys,
    principal: (claims) => ({
      ...foreignPrincipal(claims, by.issuer, tenant.id),
      ...by.access(claims),
    }),
    by,
  };
}
