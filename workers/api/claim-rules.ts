/** Rules that turn claims into what a person may, checked before they are kept. */
import { builtIn } from "../../core/access/built-in.ts";
import { grantsOf } from "../../core/access/effective.ts";
import { demandGivable } from "../../core/access/store-roles.ts";
import { type NamedRole, namedRoles } from "../../core/claim-rules/store.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import type { Principal, Scope } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import { heldBy } from "../edge/issuers.ts";

type Rule = { readonly scopes?: readonly Scope[]; readonly role?: string | undefined };

export type Ruled = {
  readonly mappings?: readonly Rule[] | undefined;
  readonly default_role?: string | null | undefined;
};

/**
 * The same rules with each role by its slug, under which roles are kept wherever they are given.
 *
 * @param before  What is kept already; its rules stay where no new ones are given.
 * @throws Problem `invalid` for a role there is not | `forbidden` when all rules together bring more
 *         than the principal holds
 */
export async function settledRules<T extends Ruled>(
  scope: TenantScope,
  principal: Principal,
  ruled: T,
  before: Ruled = {},
): Promise<T> {
  const roles = await namedRoles(scope);
  const settled = settledNames(ruled, roles);
  const { mappings = [], default_role } = { ...before, ...settled };
  for (const [at, rule] of mappings.entries()) {
    demandGivable(principal, heldBy(rule, roles).flatMap(grantsOf), `/mappings/${at}`);
  }
  if (default_role) {
    const held = heldBy({ role: default_role }, roles);
    demandGivable(principal, held.flatMap(grantsOf), "/default_role");
  }
  return settled;
}

function settledNames<T extends Ruled>(ruled: T, roles: readonly NamedRole[]): T {
  const { mappings, default_role } = ruled;
  const kept = mappings?.map((rule, at) => withKeptRole(rule, roles, `/mappings/${at}/role`));
  return {
    ...ruled,
    ...(kept === undefined ? {} : { mappings: kept }),
    ...(default_role ? { default_role: keptName(default_role, roles, "/default_role") } : {}),
  };
}

function withKeptRole(rule: Rule, roles: readonly NamedRole[], pointer: string): Rule {
  return rule.role === undefined ? rule : { ...rule, role: keptName(rule.role, roles, pointer) };
}

/** @throws Problem `invalid` */
function keptName(name: string, roles: readonly NamedRole[], pointer: string): string {
  const own = roles.find(({ id, slug }) => id === name || slug === name);
  const kept = own?.slug ?? builtIn(name)?.slug;
  if (kept !== undefined) return kept;
  throw new Problem("invalid", "the request does not fit its schema", {
    errors: [{ pointer, detail: "no such role" }],
  });
}
