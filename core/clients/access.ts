import type { Access } from "../access/contract.ts";
import type { Scope } from "../principals/contract.ts";

/**
 * What a client may: the scopes it was given itself, and what it was assigned by roles. A role that
 * denies, denies the client's own scopes too.
 */
export function clientAccess(own: readonly Scope[], assigned: Access | undefined): Access {
  if (assigned === undefined || assigned.grants.length === 0) return { scopes: own, grants: [] };
  const denied = new Set(
    assigned.grants.flatMap(({ effect, when, scopes }) =>
      effect === "deny" && when === undefined ? scopes : [],
    ),
  );
  const scopes = [...new Set([...own, ...assigned.scopes])].filter((scope) => !denied.has(scope));
  const itself = { effect: "allow", scopes: own, role: "client", statement: 0 } as const;
  return { scopes, grants: [{ ...itself, assignment: null }, ...assigned.grants] };
}
