/**
 * From who a provider says somebody is to a user of the tenant.
 *
 * B1  A subject of a connection, once known, is that user, whatever its e-mail becomes.
 * B2  A user that is there already is taken over only by a verified e-mail. Whatever was done with
 *     the account before the mailbox was proven (a password, sessions) ends there.
 * B3  Nobody becomes a member unless the connection lets people join.
 * B4  The last administrator keeps the role, whatever the claims have become.
 */
import { type SQL, and, eq, exists, ne, notExists, sql } from "drizzle-orm";
import { administratorRemains, holdTenant } from "../access/store-admins.ts";
import { auditRow, recorded, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere, target } from "../db/statements.ts";
import { newId } from "../ids.ts";
import { joiningWhere } from "../members/store-join.ts";
import { member } from "../members/table.ts";
import { tenant } from "../tenants/table.ts";
import { withinQuota } from "../tiers/store.ts";
import { user } from "../users/table.ts";
import type { Person } from "./contract.ts";
import { ssoIdentity } from "./table.ts";

type Came = { readonly connectionId: string; readonly person: Person };

/** The member a connection's subject is known as; undefined for nobody, or nobody any more (B1). */
export async function knownUser(
  { db, tenantId }: TenantScope,
  connectionId: string,
  subject: string,
): Promise<string | undefined> {
  const [row] = await db
    .select({ userId: ssoIdentity.userId })
    .from(ssoIdentity)
    .innerJoin(member, and(eq(member.tenantId, tenantId), eq(member.userId, ssoIdentity.userId)))
    .where(
      and(
        eq(ssoIdentity.tenantId, tenantId),
        eq(ssoIdentity.connectionId, connectionId),
        eq(ssoIdentity.subject, subject),
      ),
    );
  return row?.userId;
}

/** The member of that verified e-mail, from now on known by the subject too (B2). */
export async function linkUser(
  scope: TenantScope,
  { connectionId, person }: Came,
  email: string,
  nowMs: number,
): Promise<string | undefined> {
  const { db, tenantId } = scope;
  const [found] = await db
    .select({ id: user.id })
    .from(user)
    .innerJoin(member, and(eq(member.tenantId, user.tenantId), eq(member.userId, user.id)))
    .where(and(eq(user.tenantId, tenantId), eq(user.email, email)));
  if (found === undefined) return undefined;
  const { id } = found;
  const one = and(eq(user.tenantId, tenantId), eq(user.id, id));
  const detail = { connection: connectionId };
  const entry = await auditRow(scope, { action: "user.linked", kind: "user", id, detail }, nowMs);
  const unproven = sql`${user.verifiedAtMs} is null`;
  await db.batch([
    db
      .update(user)
      .set({
        verifiedAtMs: sql`coalesce(${user.verifiedAtMs}, ${nowMs})`,
        passwordHash: sql`case when ${unproven} then null else ${user.passwordHash} end`,
        sessionsFromMs: sql`case when ${unproven} then ${nowMs} else ${user.sessionsFromMs} end`,
        lastChangeId: entry.id,
      })
      .where(one),
    identity(scope, { connectionId, person }, id, entry.id, one, nowMs),
    recordedIfChanged(scope, entry, user, one),
  ]);
  return id;
}

/** A new member (B3); undefined when the address has an account, or the tier has no room. */
export async function joinTenant(
  scope: TenantScope,
  { connectionId, person }: Came,
  { email, role }: { readonly email: string; readonly role: string },
  nowMs: number,
): Promise<string | undefined> {
  const { db, tenantId } = scope;
  const id = newId("user", nowMs);
  const detail = { connection: connectionId, role };
  const entry = await auditRow(scope, { action: "user.joined", kind: "user", id, detail }, nowMs);
  const quota = withinQuota(scope, "members");
  const taken = db
    .select({ id: user.id })
    .from(user)
    .where(and(eq(user.tenantId, tenantId), eq(user.email, email)));
  const free = and(eq(tenant.id, tenantId), quota.room, notExists(taken));
  const { name } = person;
  const joining = { id, email, name, role, passwordHash: null, verifiedAtMs: nowMs };
  const made = and(eq(user.tenantId, tenantId), eq(user.id, id));
  const madeUser = and(
    eq(tenant.id, tenantId),
    exists(db.select({ id: user.id }).from(user).where(made)),
  );
  // The membership follows the user: whether the address is free is asked before there is one.
  const [insertUser] = joiningWhere(scope, joining, tenant, free, nowMs);
  const [, insertMember] = joiningWhere(scope, joining, tenant, madeUser, nowMs);
  const [, , , , , [row]] = await db.batch([
    quota.hold,
    insertUser,
    insertMember,
    identity(scope, { connectionId, person }, id, entry.id, made, nowMs),
    recordedWhere(scope, entry, user, made),
    db.select({ id: user.id }).from(user).where(made),
  ]);
  return row?.id;
}

/** The role the claims give from now on (B4). */
export async function settleRole(
  scope: TenantScope,
  userId: string,
  { role, denies }: { readonly role: string; readonly denies: boolean },
  nowMs: number,
): Promise<void> {
  const { db, tenantId } = scope;
  const mine = and(eq(member.tenantId, tenantId), eq(member.userId, userId));
  const [now] = await db.select({ id: member.id, role: member.role }).from(member).where(mine);
  if (now === undefined || now.role === role) return;
  const fact = { action: "member.changed", kind: "member", id: now.id, detail: { role } };
  const entry = await auditRow(scope, fact, nowMs);
  const revision = sql`coalesce(${member.revision}, 1) + 1`;
  const change = { userGets: userId, denies };
  const kept = role === "admin" ? undefined : administratorRemains(scope, change); // B4
  await db.batch([
    holdTenant(scope),
    db
      .update(member)
      .set({ role, revision, lastChangeId: entry.id })
      .where(and(mine, ne(member.role, role), kept)),
    recordedIfChanged(scope, entry, member, mine),
  ]);
}

/** Somebody came back from the provider and was not let in. */
export async function recordRefusedSso(
  scope: TenantScope,
  connectionId: string,
  reason: string,
  nowMs: number,
): Promise<void> {
  const fact = { action: "session.begun", kind: "sso", id: connectionId } as const;
  const entry = await auditRow(scope, { ...fact, result: "refused", detail: { reason } }, nowMs);
  await recorded(scope, entry);
}

function identity(
  { db, tenantId }: TenantScope,
  { connectionId, person }: Came,
  userId: string,
  changeId: string,
  where: SQL | undefined,
  nowMs: number,
) {
  const { tenantId: ofTenant, connectionId: ofConnection, subject } = ssoIdentity;
  return insertWhere(
    db,
    ssoIdentity,
    {
      tenantId,
      connectionId,
      subject: person.subject,
      userId,
      lastChangeId: changeId,
      createdAtMs: nowMs,
    },
    user,
    where,
  ).onConflictDoUpdate({
    target: target(ofTenant, ofConnection, subject),
    set: { userId, lastChangeId: changeId },
  });
}
