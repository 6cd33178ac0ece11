/**
 * Nobody gives away more than they hold (DECISIONS 25): neither by a key, a client, nor a role. Pure.
 *
 * A scope may be given when one allowing statement of the giver's is at least as wide as what is
 * given, and no denying one could touch it. Sound, not complete: what would take several of the
 * giver's statements together is refused.
 */
import { canonical } from "../json/canonical.ts";
import { ownerOf, type Principal, type Scope, TENANT_SCOPES } from "./contract.ts";
import type { Conditions } from "./grants.ts";

/**
 * Of `wanted` what `principal` has not to give. The platform gives what a tenant can hold, but
 * never its own scopes.
 *
 * @param when  What the receiver is held to: a key's narrowing, a statement's conditions.
 */
export function beyond(
  principal: Principal,
  wanted: readonly Scope[],
  when: Conditions = {},
): readonly Scope[] {
  return wanted.filter((scope) => !TENANT_SCOPES.includes(scope) || !gives(principal, scope, when));
}

function gives(giver: Principal, scope: Scope, when: Conditions): boolean {
  if (giver.kind === "platform") return true;
  if (!giver.scopes.includes(scope) || !insideNarrowing(giver, when)) return false;
  if (giver.grants === undefined) return true;
  const of = giver.grants.filter(({ scopes }) => scopes.includes(scope));
  const untouched = of.every(
    (grant) => grant.effect === "allow" || apart(when, grant.when ?? {}, ownerOf(giver)),
  );
  return (
    untouched &&
    of.some((grant) => grant.effect === "allow" && implies(when, grant.when ?? {}, ownerOf(giver)))
  );
}

function insideNarrowing(giver: Principal, when: Conditions): boolean {
  return (
    only(when.agents, giver.agentId) &&
    only(when.environments, giver.environment) &&
    only(when.projects, giver.projectId)
  );
}

function only(listed: readonly string[] | undefined, one: string | undefined): boolean {
  return one === undefined || (listed !== undefined && listed.every((it) => it === one));
}

const LISTS = ["tenants", "projects", "environments", "agents"] as const;

/** Whatever meets `narrow` meets `wide`, for whoever is asked. */
function implies(narrow: Conditions, wide: Conditions, giverId: string): boolean {
  return (
    LISTS.every((name) => subset(narrow[name], wide[name])) &&
    subset(ownersOf(narrow), giversOwn(wide, giverId)) &&
    impliesTags(narrow.tags, wide.tags) &&
    impliesTime(narrow.time, wide.time) &&
    (wide.arguments ?? []).every((demand) =>
      (narrow.arguments ?? []).some((own) => canonical(own) === canonical(demand)),
    )
  );
}

/** Nothing meets both: a list of each that have nothing in common. */
function apart(one: Conditions, other: Conditions, giverId: string): boolean {
  const lists = LISTS.some((name) => disjoint(one[name], other[name]));
  return lists || disjoint(ownersOf(one), giversOwn(other, giverId));
}

/** `self` is somebody else for each who is asked, so among the receiver's owners it stays open. */
function ownersOf({ owners }: Conditions): readonly string[] | undefined {
  return owners?.includes("self") === true ? undefined : owners;
}

function giversOwn({ owners }: Conditions, giverId: string): readonly string[] | undefined {
  return owners?.map((owner) => (owner === "self" ? giverId : owner));
}

function subset(
  narrow: readonly string[] | undefined,
  wide: readonly string[] | undefined,
): boolean {
  if (wide === undefined) return true;
  return narrow !== undefined && narrow.every((one) => wide.includes(one));
}

function disjoint(
  one: readonly string[] | undefined,
  other: readonly string[] | undefined,
): boolean {
  if (one === undefined || other === undefined) return false;
  return one.every((it) => !other.includes(it));
}

function impliesTags(narrow: Conditions["tags"], wide: Conditions["tags"]): boolean {
  const { any, all, none } = wide ?? {};
  const sure = narrow?.all ?? [];
  const anyHolds =
    any === undefined ||
    any.some((tag) => sure.includes(tag)) ||
    (narrow?.any !== undefined && narrow.any.every((tag) => any.includes(tag)));
  const allHold = (all ?? []).every((tag) => sure.includes(tag));
  return anyHolds && allHold && (none ?? []).every((tag) => (narrow?.none ?? []).includes(tag));
}

/** The same hours, and an end no later, a beginning no earlier. */
function impliesTime(narrow: Conditions["time"], wide: Conditions["time"]): boolean {
  if (wide === undefined) return true;
  const { not_after, not_before, ...hours } = wide;
  const { not_after: end, not_before: start, ...own } = narrow ?? {};
  const inHours = Object.keys(hours).length === 0 || canonical(hours) === canonical(own);
  const ends = not_after === undefined || (end !== undefined && ms(end) <= ms(not_after));
  const starts = not_before === undefined || (start !== undefined && ms(start) >= ms(not_before));
  return inHours && ends && starts;
}

function ms(time: string): number {
  return Date.parse(time);
}
