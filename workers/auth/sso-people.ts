/** Who came back from a provider becomes a user of the tenant, or is not let in. */
import type { Role } from "../../core/access/contract.ts";
import { getRole } from "../../core/access/store-roles.ts";
import { matching } from "../../core/claim-rules/matching.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import { Problem } from "../../core/problem.ts";
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
  const role = await roleOf(scope, connection, claims);
  // Where rules decide, whoever meets none of them has lost what brought them here.
  if (role === undefined && connection.mappings.length > 0) throw new SsoFailure("no_role");
  const known = await knownUser(scope, connection.id, person.subject);
  const userId = known ?? (await newcomer(scope, connection, person, role?.slug, nowMs));
  if (role !== undefined && connection.mappings.length > 0) {
    const denies = role.statements.some(({ effect }) => effect === "deny");
    await settleRole(scope, userId, { role: role.slug, denies }, nowMs);
  }
  return userId;
}

/** The role of the first rule that is met, or the one for everybody else; undefined for none there is. */
async function roleOf(
  scope: TenantScope,
  { mappings, defaultRole }: ConnectionRow,
  claims: Claims,
): Promise<Role | undefined> {
  const [met] = matching<RoleRule>(mappings, claims);
  const slug = met?.role ?? defaultRole;
  if (slug === null) return undefined;
  try {
    return await getRole(scope, slug);
  } catch (error) {
    if (error instanceof Problem) return undefined; // deleted since
    throw error;
  }
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
