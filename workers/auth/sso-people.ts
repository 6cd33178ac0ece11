/** Who came back from a provider becomes a user of the tenant, or is not let in. */
import { getRole } from "../../core/access/store-roles.ts";
import { matching } from "../../core/claim-rules/matching.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import type { Person, RoleRule } from "../../core/sso/contract.ts";
import { type Claims, personOf, SsoFailure } from "../../core/sso/flow.ts";
import type { ConnectionRow } from "../../core/sso/store.ts";
import { joinTenant, knownUser, linkUser, settleRole } from "../../core/sso/store-people.ts";

/** The user's id, with the role the claims give. @throws SsoFailure */
export async function userOf(
  scope: TenantScope,
  connection: ConnectionRow,
  claims: Claims,
  nowMs: number,
): Promise<string> {
  const person = personOf(claims);
  const role = roleOf(connection, claims);
  // Where rules decide, whoever meets none of them has lost what brought them here.
  if (role === undefined && connection.mappings.length > 0) throw new SsoFailure("no_role");
  const known = await knownUser(scope, connection.id, person.subject);
  const userId = known ?? (await newcomer(scope, connection, person, role, nowMs));
  if (role !== undefined && connection.mappings.length > 0) {
    const { slug, statements } = await getRole(scope, role);
    const denies = statements.some(({ effect }) => effect === "deny");
    await settleRole(scope, userId, { role: slug, denies }, nowMs);
  }
  return userId;
}

/** The role of the first rule that is met, or the one for everybody else. */
function roleOf({ mappings, defaultRole }: ConnectionRow, claims: Claims): string | undefined {
  const [met] = matching<RoleRule>(mappings, claims);
  return met?.role ?? defaultRole ?? undefined;
}

async function newcomer(
  scope: TenantScope,
  { id: connectionId, createMembers, emailDomains }: ConnectionRow,
  person: Person,
  role: string | undefined,
  nowMs: number,
): Promise<string> {
  const { verifiedEmail: email } = person;
  if (email === undefined) throw new SsoFailure("email_unverified");
  const domain = email.slice(email.lastIndexOf("@") + 1);
  if (emailDomains.length > 0 && !emailDomains.includes(domain)) throw new SsoFailure("not_member");
  const came = { connectionId, person };
  const linked = await linkUser(scope, came, email, nowMs);
  if (linked !== undefined) return linked;
  if (!createMembers) throw new SsoFailure("not_member");
  if (role === undefined) throw new SsoFailure("no_role");
  const joined = await joinTenant(scope, came, { email, role }, nowMs);
  if (joined === undefined) throw new SsoFailure("not_member");
  return joined;
}
