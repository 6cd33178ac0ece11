/** The issuers a tenant trusts, as this isolate knows them for at most `CREDENTIAL_CACHE_MS`. */
import { accessFrom, type Held } from "../../core/access/effective.ts";
import { builtIn } from "../../core/access/built-in.ts";
import { matching } from "../../core/claim-rules/matching.ts";
import type { NamedRole } from "../../core/claim-rules/store.ts";
import type { Scope } from "../../core/principals/contract.ts";
import { type IssuerRow, trustedIssuers } from "../../core/issuers/store.ts";
import type { Sealer } from "../../core/seal/contract.ts";
import type { TenantIssuer } from "../../core/tokens/contract.ts";
import type { TenantArrival } from "./arrival.ts";
import { sealerOf } from "./sealing.ts";
import type { Services } from "./services.ts";

/** All of a tenant's, so that a token of nobody's costs no look-up of its own. */
export type Trusted = { readonly issuers: readonly TenantIssuer[] };

/** The tenant's issuers; a promise only when they must be read. */
export function issuersOf(
  arrival: TenantArrival,
): readonly TenantIssuer[] | Promise<readonly TenantIssuer[]> {
  const { services, residence, nowMs, keep } = arrival;
  const { tenantId } = residence.scope;
  const found = services.issuers.get(tenantId, nowMs, () => readTrusted(arrival), keep);
  return found instanceof Promise
    ? found.then((trusted) => trusted?.issuers ?? [])
    : (found?.issuers ?? []);
}

/** Issuers, or roles they name, have changed: this isolate looks them up anew. */
export function forgetIssuers(services: Services, tenantId: string): void {
  services.issuers.forget(tenantId);
}

async function readTrusted({ services, residence, nowMs }: TenantArrival): Promise<Trusted> {
  const { rows, roles } = await trustedIssuers(residence.scope);
  const sealed = rows.some(({ sealedSecret }) => sealedSecret !== null);
  const sealer = sealed ? await sealerOf(services, residence.scope, nowMs) : undefined;
  const { id, slug } = residence.tenant;
  return { issuers: rows.map((row) => trustedIssuer(row, roles, sealer, [id, slug])) };
}

function trustedIssuer(
  row: IssuerRow,
  roles: readonly NamedRole[],
  sealer: Sealer | undefined,
  own: readonly string[],
): TenantIssuer {
  const { id, revision, issuer, audience, alg, typ, tenantClaim, maxLifetimeSeconds } = row;
  const judged = { id, revision, issuer, audience, alg, typ, tenantClaim, maxLifetimeSeconds };
  return {
    ...judged,
    tenantNames: row.tenantValue === null ? own : [row.tenantValue],
    keys: keysOf(row, sealer),
    access: (claims) => {
      const met = matching(row.mappings, claims);
      const held = met.flatMap((rule) => heldBy(rule, roles));
      const role = row.defaultRole;
      return accessFrom(met.length === 0 && role !== null ? heldRole(role, roles) : held);
    },
  };
}

function keysOf(row: IssuerRow, sealer: Sealer | undefined): TenantIssuer["keys"] {
  if (row.jwksUri !== null) return { url: row.jwksUri };
  const place = { tenantId: row.tenantId, kind: "issuer", id: row.id };
  const secret = row.sealedSecret === null ? "" : (sealer?.open(place, row.sealedSecret) ?? "");
  return { secret: { kty: "oct", k: Buffer.from(secret).toString("base64url") } };
}

/** What one rule brings: its scopes as a statement of its own, and its role. */
export function heldBy(
  { scopes = [], role }: { readonly scopes?: readonly Scope[]; readonly role?: string | undefined },
  roles: readonly NamedRole[],
): readonly Held[] {
  const own = { role: "claims", assignment: null };
  const direct = scopes.length === 0 ? [] : [{ ...own, statements: [allowing(scopes)] }];
  return [...direct, ...(role === undefined ? [] : heldRole(role, roles))];
}

/** A role that is neither built in nor there any more holds nothing. */
function heldRole(name: string, roles: readonly NamedRole[]): readonly Held[] {
  const own = roles.find(({ slug }) => slug === name);
  const statements = own?.statements ?? builtIn(name)?.statements ?? [];
  return [{ role: name, assignment: null, statements }];
}

function allowing(scopes: readonly Scope[]) {
  return { effect: "allow" as const, scopes: [...scopes] };
}
