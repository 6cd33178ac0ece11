/** Users, members, invitations, mailed links and refresh tokens, on either engine. */
import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { getRole } from "../access/store-roles.ts";
import { findConfirmation, requestRegistration, requestReset } from "../confirmations/store.ts";
import { confirmation } from "../confirmations/table.ts";
import { createConsoleSession, findConsoleSession } from "../console-sessions/store.ts";
import { INVITATION_MS } from "../invitations/contract.ts";
import {
  acceptInvitation,
  createInvitation,
  findOpenInvitation,
  listInvitations,
  resendInvitation,
  revokeInvitation,
} from "../invitations/store.ts";
import { hashSecret } from "../keys/format.ts";
import { createKey, getKey } from "../keys/store.ts";
import { postponeMail, takeDueMail, takeMail } from "../mail/store.ts";
import {
  findMembership,
  getMember,
  listMembers,
  patchMember,
  removeMember,
} from "../members/store.ts";
import { confirmRegistration } from "../members/store-registration.ts";
import { member } from "../members/table.ts";
import { REFRESH_FAMILY_MS, REFRESH_IDLE_MS } from "../refresh/contract.ts";
import { beginFamily, endFamilyOf, useRefreshToken } from "../refresh/store.ts";
import {
  changePassword,
  endSessions,
  findSignIn,
  getProfile,
  getSignIn,
  resetPassword,
} from "../users/store.ts";
import { outbox } from "./outbox.ts";
import type { TenantScope } from "./scope.ts";
import {
  FIRST_PAGE,
  NOON,
  type Open,
  missing,
  newTenant,
  principalOf,
  race,
  refusal,
} from "./suite-world.ts";

const PERSON = { name: "Bo", passwordHash: "scrypt$1$1$1$a$b" };

/** A member who came by invitation. */
async function newMember(scope: TenantScope, email: string, role = "viewer") {
  const { invitation } = await createInvitation(scope, { email, role }, NOON);
  const open = (await findOpenInvitation(scope, invitation.id, NOON)) ?? missing("an invitation");
  const userId = (await acceptInvitation(scope, open, PERSON, NOON)) ?? missing("a user");
  const { data } = await listMembers(scope, FIRST_PAGE);
  const found = data.find(({ user_id }) => user_id === userId) ?? missing("a member");
  return { userId, memberId: found.id };
}

export function peopleCases(open: Open): void {
  describe("invitations", () => {
    it("F21: are accepted once, however many try at once", async () => {
      const { scope } = await newTenant(open());
      const { invitation } = await createInvitation(scope, INVITED, NOON);
      const row = (await findOpenInvitation(scope, invitation.id, NOON)) ?? missing("one");
      const accepted = await Promise.all(
        [1, 2, 3, 4].map(() => acceptInvitation(scope, row, PERSON, NOON)),
      );
      expect(accepted.filter((id) => id !== undefined)).toHaveLength(1);
      expect(await acceptInvitation(scope, row, PERSON, NOON)).toBeUndefined();
      const { data } = await listInvitations(scope, FIRST_PAGE, NOON);
      expect(data).toMatchObject([{ status: "accepted" }]);
      expect((await listMembers(scope, FIRST_PAGE)).data).toHaveLength(2);
    });

    it("F21: one address has one open invitation, and a member none", async () => {
      const { scope, admin } = await newTenant(open());
      const asked = await race([1, 2, 3].map(() => createInvitation(scope, INVITED, NOON)));
      expect(asked).toEqual({ won: 1, refused: ["already_exists", "already_exists"] });
      const own = createInvitation(scope, { email: admin.email, role: "viewer" }, NOON);
      expect(await refusal(own)).toBe("already_exists");
      const later = NOON + INVITATION_MS;
      expect((await createInvitation(scope, INVITED, later)).invitation.status).toBe("open");
    });

    it("F21: open nothing once expired, revoked, or sent again", async () => {
      const { scope } = await newTenant(open());
      const { invitation } = await createInvitation(scope, INVITED, NOON);
      const { id } = invitation;
      expect(await findOpenInvitation(scope, id, NOON + INVITATION_MS)).toBeUndefined();
      const first = (await findOpenInvitation(scope, id, NOON)) ?? missing("one");
      await resendInvitation(scope, id, NOON);
      expect(await acceptInvitation(scope, first, PERSON, NOON)).toBeUndefined();
      const second = (await findOpenInvitation(scope, id, NOON)) ?? missing("one");
      expect(second.edition).toBe(first.edition + 1);
      await revokeInvitation(scope, id, NOON);
      expect(await acceptInvitation(scope, second, PERSON, NOON)).toBeUndefined();
      expect(await refusal(resendInvitation(scope, id, NOON))).toBe("conflict");
      const other = await newTenant(open());
      expect(await findOpenInvitation(other.scope, id, NOON)).toBeUndefined();
    });
  });

  describe("members", () => {
    it("F26: the last administrator stays one, whoever steps down at once", async () => {
      const { scope } = await newTenant(open());
      const two = await newMember(scope, "two@example.com", "admin");
      const { data } = await listMembers(scope, FIRST_PAGE);
      const first = data.find(({ id }) => id !== two.memberId) ?? missing("a member");
      const viewer = await getRole(scope, "viewer");
      const down = await race(
        [first.id, two.memberId].map((id) => patchMember(scope, id, 1, viewer, NOON)),
      );
      expect(down).toEqual({ won: 1, refused: ["conflict"] });
      const admins = (await listMembers(scope, FIRST_PAGE)).data.filter(
        ({ role }) => role === "admin",
      );
      expect(admins).toHaveLength(1);
      const [last = missing("an administrator")] = admins;
      expect(await refusal(removeMember(scope, last.id, last.revision, NOON))).toBe("conflict");
    });

    it("F21: one that is removed leaves no session, token, link or key behind", async () => {
      const { scope } = await newTenant(open());
      const { userId, memberId } = await newMember(scope, "gone@example.com", "admin");
      const session = await createConsoleSession(scope, { userId }, NOON);
      const family = await beginFamily(scope, { userId, wanted: null }, NOON);
      const own = principalOf(scope, { kind: "user", id: userId });
      const wanted = { name: "mine", scopes: ["agents:read" as const] };
      const key = await createKey(scope, own, wanted, NOON, userId);
      await requestReset(scope, "gone@example.com", NOON);
      expect(await refusal(removeMember(scope, memberId, 7, NOON))).toBe("version_conflict");
      expect(await findConsoleSession(open(), await hashSecret(session.token))).toBeDefined();
      expect((await getKey(scope, key.id)).status).toBe("active");

      await removeMember(scope, memberId, 1, NOON);
      expect(await findMembership(scope, userId)).toBeUndefined();
      expect(await findConsoleSession(open(), await hashSecret(session.token))).toBeUndefined();
      expect(await useRefreshToken(scope, family.token, NOON)).toBeUndefined();
      expect((await getKey(scope, key.id)).status).toBe("revoked");
      expect(await refusal(getProfile(scope, userId))).toBe("not_found");
      const links = await scope.db
        .select()
        .from(confirmation)
        .where(eq(confirmation.userId, userId));
      expect(links).toEqual([]);
      expect(await refusal(getMember(scope, memberId))).toBe("not_found");
      const { invitation } = await createInvitation(
        scope,
        { email: "gone@example.com", role: "viewer" },
        NOON,
      );
      expect(invitation.status).toBe("open");
    });

    it("F12: none of another tenant's is found, changed or removed", async () => {
      const { scope } = await newTenant(open());
      const other = await newTenant(open());
      const { memberId, userId } = await newMember(scope, "mine@example.com");
      const viewer = await getRole(scope, "viewer");
      expect(await refusal(getMember(other.scope, memberId))).toBe("not_found");
      expect(await refusal(patchMember(other.scope, memberId, 1, viewer, NOON))).toBe("not_found");
      expect(await refusal(removeMember(other.scope, memberId, 1, NOON))).toBe("not_found");
      expect(await findMembership(other.scope, userId)).toBeUndefined();
      expect(await findSignIn(other.scope, "mine@example.com")).toBeUndefined();
    });
  });

  describe("refresh tokens", () => {
    it("F21: rotate; of many uses at once one makes a token, and the family is over", async () => {
      const { scope, admin } = await newTenant(open());
      const first = await beginFamily(scope, { userId: admin.id, wanted: "agents:read" }, NOON);
      const second = (await useRefreshToken(scope, first.token, NOON)) ?? missing("a token");
      expect(second).toMatchObject({ userId: admin.id, scope: "agents:read", beganAtMs: NOON });
      const uses = await Promise.all(
        [1, 2, 3, 4].map(() => useRefreshToken(scope, second.token, NOON)),
      );
      const made = uses.filter((use) => use !== undefined);
      expect(made).toHaveLength(1);
      expect(await useRefreshToken(scope, made[0]?.token ?? "", NOON)).toBeUndefined();
    });

    it("F21: one used again ends its family, and no other", async () => {
      const { scope, admin } = await newTenant(open());
      const begin = () => beginFamily(scope, { userId: admin.id, wanted: null }, NOON);
      const [stolen, other] = [await begin(), await begin()];
      const next = (await useRefreshToken(scope, stolen.token, NOON)) ?? missing("a token");
      expect(await useRefreshToken(scope, stolen.token, NOON)).toBeUndefined();
      expect(await useRefreshToken(scope, next.token, NOON)).toBeUndefined();
      expect(await useRefreshToken(scope, other.token, NOON)).toBeDefined();
      expect(await useRefreshToken(scope, "berth_refresh_made_up", NOON)).toBeUndefined();
    });

    it("F21: end unused, with their family's age, by sign-out, and in their tenant alone", async () => {
      const { scope, admin } = await newTenant(open());
      const begin = (nowMs = NOON) => beginFamily(scope, { userId: admin.id, wanted: null }, nowMs);
      const idle = await begin();
      expect(await useRefreshToken(scope, idle.token, NOON + REFRESH_IDLE_MS)).toBeUndefined();
      let nowMs = NOON;
      let token = (await begin()).token;
      while (nowMs + REFRESH_IDLE_MS - 1 < NOON + REFRESH_FAMILY_MS) {
        nowMs += REFRESH_IDLE_MS - 1;
        token = (await useRefreshToken(scope, token, nowMs))?.token ?? missing("a token");
      }
      expect(await useRefreshToken(scope, token, NOON + REFRESH_FAMILY_MS)).toBeUndefined();
      const out = await begin();
      await endFamilyOf(scope, out.token, NOON);
      expect(await useRefreshToken(scope, out.token, NOON)).toBeUndefined();
      const { scope: foreign } = await newTenant(open());
      expect(await useRefreshToken(foreign, (await begin()).token, NOON)).toBeUndefined();
    });
  });

  describe("passwords and links", () => {
    it("F22: a new password ends every session, token and link begun before", async () => {
      const { scope, admin } = await newTenant(open());
      const userId = admin.id;
      const session = await createConsoleSession(scope, { userId }, NOON);
      const family = await beginFamily(scope, { userId, wanted: null }, NOON);
      await requestReset(scope, admin.email, NOON);
      const own = await getSignIn(scope, userId);
      await changePassword(scope, own, "scrypt$new", NOON + 1);
      expect(await refusal(changePassword(scope, own, "scrypt$late", NOON + 1))).toBe("conflict");
      expect(await findConsoleSession(open(), await hashSecret(session.token))).toBeUndefined();
      expect(await useRefreshToken(scope, family.token, NOON + 1)).toBeUndefined();
      const links = await scope.db
        .select()
        .from(confirmation)
        .where(eq(confirmation.userId, userId));
      expect(links.filter(({ usedAtMs }) => usedAtMs === null)).toEqual([]);
      expect((await findMembership(scope, userId))?.sessionsFromMs).toBe(NOON + 1);
      await endSessions(scope, userId, NOON + 2);
      expect((await findMembership(scope, userId))?.sessionsFromMs).toBe(NOON + 2);
    });

    it("F22: a link to a new password counts once, in its own tenant, and for no stranger", async () => {
      const { scope, admin } = await newTenant(open());
      await requestReset(scope, admin.email, NOON);
      await requestReset(scope, "nobody@example.com", NOON);
      const rows = await scope.db
        .select()
        .from(confirmation)
        .where(eq(confirmation.tenantId, scope.tenantId));
      const resets = rows.filter(({ purpose }) => purpose === "reset");
      expect(resets.map(({ userId }) => userId)).toEqual([admin.id]);
      const [{ id } = missing("a link")] = resets;
      const other = await newTenant(open());
      expect(await findConfirmation(other.scope, id, NOON)).toBeUndefined();
      const link = { id, userId: admin.id };
      const used = await Promise.all(
        [1, 2, 3].map((n) => resetPassword(scope, link, `scrypt$${n}`, NOON)),
      );
      expect(used.filter(Boolean)).toHaveLength(1);
      expect(await findConfirmation(scope, id, NOON)).toBeUndefined();
      expect((await getProfile(scope, admin.id)).verified).toBe(true);
    });

    it("F21: a registration becomes one user, and none where there is one already", async () => {
      const { scope } = await newTenant(open());
      const asked = { email: "new@example.com", ...PERSON };
      await requestRegistration(scope, asked, NOON);
      await requestRegistration(scope, asked, NOON);
      const rows = await scope.db
        .select()
        .from(confirmation)
        .where(eq(confirmation.tenantId, scope.tenantId));
      const links = rows.filter(({ purpose }) => purpose === "registration");
      expect(links).toHaveLength(2);
      expect(await findSignIn(scope, asked.email)).toBeUndefined();
      const made: boolean[] = [];
      for (const link of links) made.push(await confirmRegistration(scope, link, "viewer", NOON));
      expect(made).toEqual([true, false]);
      const members = await scope.db
        .select()
        .from(member)
        .where(eq(member.tenantId, scope.tenantId));
      expect(members.map(({ role }) => role).toSorted()).toEqual(["admin", "viewer"]);
    });
  });

  describe("mail that is owed", () => {
    it("M1: is one sender's until it holds it no longer, and comes later each time it fails", async () => {
      const { scope } = await newTenant(open());
      const { mailId } = await createInvitation(scope, INVITED, NOON);
      const taken = await Promise.all([1, 2, 3].map(() => takeMail(open(), mailId, NOON)));
      expect(taken.flat()).toHaveLength(1);
      expect(await dueOf(mailId, NOON + 59_999)).toBe(0);
      expect(await dueOf(mailId, NOON + 60_000)).toBe(1);
      const owed = { id: mailId, tenantId: scope.tenantId, subject: "", attempts: 3 };
      await postponeMail(open(), owed, NOON);
      expect(await dueOf(mailId, NOON + 59_999)).toBe(0);
      const [row] = await scope.db.select().from(outbox).where(eq(outbox.id, mailId));
      expect(row?.dueAtMs).toBe(NOON + 60_000);
      expect(JSON.stringify(row)).not.toContain(INVITED.email);
    });

    const dueOf = async (mailId: string, nowMs: number) =>
      (await takeDueMail(open(), nowMs, 1000)).filter(({ id }) => id === mailId).length;
  });
}

const INVITED = { email: "guest@example.com", role: "viewer" };
