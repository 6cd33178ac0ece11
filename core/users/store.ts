import { type SQL, and, eq, isNull, sql } from "drizzle-orm";
import { auditRow, recorded, recordedIfChanged } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { usedBy, usedUp, withoutLinksOf } from "../confirmations/store.ts";
import { withoutSessionsOf } from "../console-sessions/store.ts";
import type { TenantScope } from "../db/scope.ts";
import { member } from "../members/table.ts";
import { Problem } from "../problem.ts";
import { withoutFamiliesOf } from "../refresh/store.ts";
import type { Profile, UserPatch } from "./contract.ts";
import { user } from "./table.ts";

/** What a sign-in is judged by. */
export type SignIn = {
  readonly id: string;
  readonly email: string;
  readonly passwordHash: string | null;
};

/** The member of that address; undefined when it has no account. */
export async function findSignIn(scope: TenantScope, email: string): Promise<SignIn | undefined> {
  const [row] = await scope.db
    .select({ id: user.id, email: user.email, passwordHash: user.passwordHash })
    .from(user)
    .innerJoin(member, and(eq(member.tenantId, user.tenantId), eq(member.userId, user.id)))
    .where(and(eq(user.tenantId, scope.tenantId), eq(user.email, email)));
  return row;
}

/** The same by id. @throws Problem `not_found` */
export async function getSignIn(scope: TenantScope, id: string): Promise<SignIn> {
  const [row] = await scope.db
    .select({ id: user.id, email: user.email, passwordHash: user.passwordHash })
    .from(user)
    .where(one(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such user");
  return row;
}

/** @throws Problem `not_found` */
export async function getProfile(scope: TenantScope, id: string): Promise<Profile> {
  const [row] = await scope.db
    .select({ user, role: member.role })
    .from(user)
    .innerJoin(member, and(eq(member.tenantId, user.tenantId), eq(member.userId, user.id)))
    .where(one(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such user");
  return {
    id,
    email: row.user.email,
    name: row.user.name,
    verified: row.user.verifiedAtMs !== null,
    has_password: row.user.passwordHash !== null,
    role: row.role,
    revision: row.user.revision ?? 1,
    created_at: rfc3339(row.user.createdAtMs),
  };
}

/** Change one's own name, if it is still at `revision`. @throws Problem `not_found` | `version_conflict` */
export async function patchUser(
  scope: TenantScope,
  id: string,
  revision: number,
  patch: UserPatch,
  nowMs: number,
): Promise<Profile> {
  const before = await getProfile(scope, id);
  const fact = { action: "user.changed", kind: "user", id, before, after: { ...before, ...patch } };
  const entry = await auditRow(scope, fact, nowMs);
  const [[changed]] = await scope.db.batch([
    scope.db
      .update(user)
      .set({ ...patch, revision: revision + 1, lastChangeId: entry.id })
      .where(and(one(scope, id), atRevision(revision)))
      .returning({ id: user.id }),
    recordedIfChanged(scope, entry, user, one(scope, id)),
  ]);
  if (changed !== undefined) return getProfile(scope, id);
  throw new Problem("version_conflict", `you are no longer at revision ${revision}`);
}

/**
 * A new password for who knew the old one. Every session, refresh family, token and open link of
 * the user's is over with it.
 *
 * @throws Problem `conflict` when it was changed meanwhile.
 */
export async function changePassword(
  scope: TenantScope,
  { id, passwordHash }: SignIn,
  newHash: string,
  nowMs: number,
): Promise<void> {
  const entry = await auditRow(scope, { action: "password.changed", kind: "user", id }, nowMs);
  const same =
    passwordHash === null ? isNull(user.passwordHash) : eq(user.passwordHash, passwordHash);
  const [[changed]] = await scope.db.batch([
    scope.db
      .update(user)
      .set({ passwordHash: newHash, ...over(nowMs), lastChangeId: entry.id })
      .where(and(one(scope, id), same))
      .returning({ id: user.id }),
    recordedIfChanged(scope, entry, user, one(scope, id)),
    ...ends(scope, id, nowMs),
  ]);
  if (changed === undefined) throw new Problem("conflict", "the password was changed meanwhile");
}

/**
 * A new password for who holds the link that was mailed; it proves the mailbox too. Of two that use
 * the link one does.
 *
 * @returns  False when the link was used meanwhile.
 */
export async function resetPassword(
  scope: TenantScope,
  link: { readonly id: string; readonly userId: string },
  newHash: string,
  nowMs: number,
): Promise<boolean> {
  const { userId: id } = link;
  const entry = await auditRow(scope, { action: "password.reset", kind: "user", id }, nowMs);
  const used = usedBy(scope, link.id, entry.id);
  const verifiedAtMs = sql`coalesce(${user.verifiedAtMs}, ${nowMs})`;
  const [[done]] = await scope.db.batch([
    usedUp(scope, link.id, entry.id, nowMs),
    scope.db
      .update(user)
      .set({ passwordHash: newHash, verifiedAtMs, ...over(nowMs), lastChangeId: entry.id })
      .where(and(one(scope, id), used)),
    recordedIfChanged(scope, entry, user, one(scope, id)),
    ...ends(scope, id, nowMs),
  ]);
  return done !== undefined;
}

/** The mailbox is theirs: the link that was mailed came back. False when it was used meanwhile. */
export async function verifyUser(
  scope: TenantScope,
  link: { readonly id: string; readonly userId: string },
  nowMs: number,
): Promise<boolean> {
  const { userId: id } = link;
  const entry = await auditRow(scope, { action: "user.verified", kind: "user", id }, nowMs);
  const [[done]] = await scope.db.batch([
    usedUp(scope, link.id, entry.id, nowMs),
    scope.db
      .update(user)
      .set({ verifiedAtMs: nowMs, lastChangeId: entry.id })
      .where(and(one(scope, id), usedBy(scope, link.id, entry.id))),
    recordedIfChanged(scope, entry, user, one(scope, id)),
  ]);
  return done !== undefined;
}

/** Sign out everywhere: sessions, refresh families and tokens of the user's are over. */
export async function endSessions(scope: TenantScope, id: string, nowMs: number): Promise<void> {
  const entry = await auditRow(scope, { action: "sessions.ended", kind: "user", id }, nowMs);
  await scope.db.batch([
    scope.db
      .update(user)
      .set({ sessionsFromMs: nowMs, lastChangeId: entry.id })
      .where(one(scope, id)),
    recordedIfChanged(scope, entry, user, one(scope, id)),
    withoutSessionsOf(scope, id),
    withoutFamiliesOf(scope, id, nowMs),
  ]);
}

/** Somebody tried to sign in as the user, and was refused. */
export async function recordRefusedSignIn(
  scope: TenantScope,
  id: string,
  nowMs: number,
): Promise<void> {
  const fact = { action: "session.begun", kind: "user", id, result: "refused" } as const;
  await scope.db.batch([recorded(scope, await auditRow(scope, fact, nowMs))]);
}

/** The same password, hashed at today's cost, unless it was changed meanwhile. */
export async function rehashPassword(
  scope: TenantScope,
  { id, passwordHash }: SignIn,
  newHash: string,
): Promise<void> {
  if (passwordHash === null) return;
  await scope.db
    .update(user)
    .set({ passwordHash: newHash })
    .where(and(one(scope, id), eq(user.passwordHash, passwordHash)));
}

/**
 * What a tenant that somebody signed up for must not do before the mailbox is proven: write to
 * others, and take names on the network.
 *
 * @throws Problem `email_unverified`
 */
export async function demandVerified(scope: TenantScope): Promise<void> {
  const [waiting] = await scope.db
    .select({ id: user.id })
    .from(user)
    .where(
      and(
        eq(user.tenantId, scope.tenantId),
        sql`${user.signedUpAtMs} is not null`,
        isNull(user.verifiedAtMs),
      ),
    )
    .limit(1);
  if (waiting === undefined) return;
  throw new Problem("email_unverified", "open the link that was mailed to who signed up");
}

function one(scope: TenantScope, id: string): SQL | undefined {
  return and(eq(user.tenantId, scope.tenantId), eq(user.id, id));
}

function atRevision(revision: number): SQL {
  return sql`coalesce(${user.revision}, 1) = ${revision}`;
}

/** What was begun until now is over; what begins now is not. */
function over(nowMs: number) {
  return { sessionsFromMs: nowMs, revision: sql`coalesce(${user.revision}, 1) + 1` };
}

function ends(scope: TenantScope, userId: string, nowMs: number) {
  return [
    withoutSessionsOf(scope, userId),
    withoutFamiliesOf(scope, userId, nowMs),
    withoutLinksOf(scope, userId, nowMs),
  ] as const;
}
