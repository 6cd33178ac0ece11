import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import {
  createConsoleSession,
  deleteConsoleSession,
  deleteExpiredConsoleSessions,
  findConsoleSession,
} from "../console-sessions/store.ts";
import { CONSOLE_SESSION_MS } from "../console-sessions/contract.ts";
import { environment } from "../environments/table.ts";
import { listEnvironments } from "../environments/store.ts";
import { createAgent } from "../agents/store.ts";
import { CLAIM_MS, REPLAY_MS, type Claim, type Claimed } from "../idempotency/contract.ts";
import { abandonKey, claimKey, completeKey } from "../idempotency/store.ts";
import { newId } from "../ids.ts";
import { hashSecret, parseKey } from "../keys/format.ts";
import { createKey, findKey, getKey, listKeys, revokeKey } from "../keys/store.ts";
import { listMembers } from "../members/store.ts";
import { findTenantBySlug, getTenant, listTenants, provisionTenant } from "../tenants/store.ts";
import { TICKET_MS } from "../tickets/contract.ts";
import { consumeTicket, createTicket } from "../tickets/store.ts";
import { user } from "../users/table.ts";
import { tenantScope } from "./scope.ts";
import {
  FIRST_PAGE,
  NOON,
  newTenant,
  type Open,
  principalOf,
  race,
  refusal,
  missing,
} from "./suite-world.ts";

/** The claim of an answer that must be `new`. */
function claimOf(claimed: Claimed | undefined): Claim {
  return claimed?.state === "new" ? claimed.claim : missing("a claim");
}

export function tenantCases(open: Open): void {
  describe("tenants", () => {
    it("F1, F10: finds a tenant by its slug, and nothing by another", async () => {
      const { tenant, slug } = await newTenant(open());
      expect(await findTenantBySlug(open(), slug)).toEqual(tenant);
      expect(await getTenant(open(), tenant.id)).toEqual(tenant);
      expect(await findTenantBySlug(open(), `${slug}-x`)).toBeUndefined();
      expect(await findTenantBySlug(open(), slug.toUpperCase())).toBeUndefined();
    });

    it("F17: provisions tenant, admin, membership, key and three environments", async () => {
      const { tenant, admin, key, scope } = await newTenant(open());
      const members = await listMembers(scope, FIRST_PAGE);
      expect(members.data).toMatchObject([{ user_id: admin.id, role: "admin" }]);
      const environments = await listEnvironments(scope);
      expect(environments.map(({ slug }) => slug)).toEqual(["dev", "prod", "staging"]);
      const parsed = parseKey(key.secret ?? "");
      expect(parsed?.keyId).toBe(key.id);
      const found = await findKey(open(), key.id);
      expect(found?.tenantId).toBe(tenant.id);
      expect(found?.secretHash).toBe(await hashSecret(parsed?.secret ?? ""));
    });

    it("F17: a slug that is taken leaves nothing of the second tenant behind", async () => {
      const { slug } = await newTenant(open());
      const email = `${slug}@second.example`;
      const second = { slug, name: "Second", admin: { email, name: "Bo" } };
      expect(await refusal(provisionTenant(open(), second, NOON))).toBe("already_exists");
      expect(await open().db.select().from(user).where(eq(user.email, email))).toEqual([]);
    });

    it("F17: of racing claims to one slug one wins, whole", async () => {
      const slug = `race-${newId("tenant", NOON).slice(-12)}`;
      const email = `${slug}@race.example`;
      const claim = () =>
        provisionTenant(open(), { slug, name: "Race", admin: { email, name: "Cy" } }, NOON);
      const { won, refused } = await race([claim(), claim(), claim(), claim()]);
      expect(won).toBe(1);
      expect(refused).toEqual(["already_exists", "already_exists", "already_exists"]);
      expect(await open().db.select().from(user).where(eq(user.email, email))).toHaveLength(1);
    });

    it("lists every tenant once, page by page", async () => {
      const { tenant } = await newTenant(open());
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await listTenants(open(), { limit: 2, ...(cursor && { cursor }) });
        seen.push(...page.data.map(({ id }) => id));
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
      expect(seen).toContain(tenant.id);
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen).toEqual(seen.toSorted());
    });

    it("F158: a batch that fails anywhere leaves nothing behind", async () => {
      const { scope } = await newTenant(open());
      const place = { tenantId: scope.tenantId, createdAtMs: NOON };
      const failing = scope.db.batch([
        scope.db.insert(environment).values({ ...place, slug: "moon" }),
        scope.db.insert(environment).values({ ...place, slug: "prod" }),
      ]);
      const [{ status }] = await Promise.allSettled([failing]);
      expect(status).toBe("rejected");
      const slugs = (await listEnvironments(scope)).map(({ slug }) => slug);
      expect(slugs).toEqual(["dev", "prod", "staging"]);
    });

    it("F12: makes a scope only of something that has the form of a tenant's id", () => {
      expect(() => tenantScope(open(), "acme")).toThrow(RangeError);
      expect(() => tenantScope(open(), "")).toThrow(RangeError);
    });
  });

  describe("keys", () => {
    it("F25: shows the secret once; what is stored and listed does not hold it", async () => {
      const { scope } = await newTenant(open());
      const issued = await createKey(
        scope,
        principalOf(scope),
        { name: "ci", scopes: ["agents:read"] },
        NOON,
      );
      const secret = parseKey(issued.secret ?? "")?.secret ?? "";
      expect(secret).toHaveLength(43);
      const { secret: _shown, ...shown } = issued;
      expect(await getKey(scope, issued.id)).toEqual(shown);
      const listed = JSON.stringify([
        await listKeys(scope, FIRST_PAGE),
        await findKey(open(), issued.id),
      ]);
      expect(listed).not.toContain(secret);
    });

    it("F25: a revoked key stays listed with the time of its first revocation", async () => {
      const { scope, key } = await newTenant(open());
      await revokeKey(scope, key.id, NOON + 1000);
      const again = await revokeKey(scope, key.id, NOON + 9000);
      expect(again).toMatchObject({ status: "revoked", revoked_at: "2026-11-20T12:00:01.000Z" });
      expect((await findKey(open(), key.id))?.revokedAtMs).toBe(NOON + 1000);
    });

    it("F25: a key mints only a subset of itself", async () => {
      const { scope } = await newTenant(open());
      const weak = principalOf(scope, { scopes: ["keys:write"] });
      const wish = { name: "more", scopes: ["keys:write", "agents:write"] } as const;
      expect(
        await refusal(createKey(scope, weak, { ...wish, scopes: [...wish.scopes] }, NOON)),
      ).toBe("forbidden");
    });

    it("narrows a key to an agent by slug, and to an environment", async () => {
      const { scope } = await newTenant(open());
      const agent = await createAgent(scope, { slug: "bot", name: "Bot", description: "" }, NOON);
      const input = { name: "n", scopes: ["agents:invoke" as const] };
      const by = principalOf(scope);
      const key = await createKey(scope, by, { ...input, agent: "bot", environment: "dev" }, NOON);
      expect(key).toMatchObject({ agent_id: agent.id, environment: "dev" });
      expect(await refusal(createKey(scope, by, { ...input, agent: "none" }, NOON))).toBe(
        "invalid",
      );
      expect(await refusal(createKey(scope, by, { ...input, environment: "moon" }, NOON))).toBe(
        "invalid",
      );
      const past = "2026-11-20T11:59:59.000Z";
      expect(await refusal(createKey(scope, by, { ...input, expires_at: past }, NOON))).toBe(
        "invalid",
      );
    });
  });

  describe("the wall between tenants", () => {
    it("F5, F13: another tenant's key is not found, listed or revoked", async () => {
      const acme = await newTenant(open());
      const globex = await newTenant(open());
      expect(await refusal(getKey(globex.scope, acme.key.id))).toBe("not_found");
      expect(await refusal(revokeKey(globex.scope, acme.key.id, NOON))).toBe("not_found");
      const listed = await listKeys(globex.scope, FIRST_PAGE);
      expect(listed.data.map(({ id }) => id)).toEqual([globex.key.id]);
      expect((await getKey(acme.scope, acme.key.id)).status).toBe("active");
    });

    it("F5, F13: a key is never narrowed to another tenant's agent", async () => {
      const acme = await newTenant(open());
      const globex = await newTenant(open());
      const input = { slug: "theirs", name: "Theirs", description: "" };
      const theirs = await createAgent(acme.scope, input, NOON);
      const wish = { name: "n", scopes: ["agents:read" as const], agent: theirs.id };
      const minting = createKey(globex.scope, principalOf(globex.scope), wish, NOON);
      expect(await refusal(minting)).toBe("invalid");
    });
  });

  describe("console sessions and tickets", () => {
    it("finds a session by its token's hash until it is signed out or swept", async () => {
      const { scope, key } = await newTenant(open());
      const { token } = await createConsoleSession(scope, { keyId: key.id }, NOON);
      const hash = await hashSecret(token);
      const found = await findConsoleSession(open(), hash);
      expect(found).toEqual({
        tenantId: scope.tenantId,
        keyId: key.id,
        userId: null,
        createdAtMs: NOON,
        expiresAtMs: NOON + CONSOLE_SESSION_MS,
      });
      await deleteConsoleSession((await newTenant(open())).scope, hash, NOON);
      expect(await findConsoleSession(open(), hash)).toBeDefined();
      await deleteConsoleSession(scope, hash, NOON);
      expect(await findConsoleSession(open(), hash)).toBeUndefined();
      const late = await createConsoleSession(scope, { keyId: key.id }, NOON);
      await deleteExpiredConsoleSessions(open(), NOON + CONSOLE_SESSION_MS);
      expect(await findConsoleSession(open(), await hashSecret(late.token))).toBeUndefined();
    });

    it("a ticket opens one socket, in its own tenant, for half a minute", async () => {
      const { scope } = await newTenant(open());
      const other = await newTenant(open());
      const binding = {
        agentId: newId("agent", NOON),
        environment: "prod",
        principal: principalOf(scope),
      };
      const { ticket } = await createTicket(scope, binding, NOON);
      expect(await consumeTicket(other.scope, ticket, NOON)).toBeUndefined();
      const uses = await Promise.all([
        consumeTicket(scope, ticket, NOON + TICKET_MS - 1),
        consumeTicket(scope, ticket, NOON + TICKET_MS - 1),
      ]);
      expect(uses.filter((use) => use !== undefined)).toEqual([binding]);
      const late = await createTicket(scope, binding, NOON);
      expect(await consumeTicket(scope, late.ticket, NOON + TICKET_MS)).toBeUndefined();
    });
  });

  describe("idempotency of control-plane POSTs", () => {
    const subject = (part = {}) => ({
      principal: "key_1",
      route: "POST /v1/agents",
      key: newId("request", NOON),
      fingerprint: "f1",
      ...part,
    });

    it("runs one of two parallel requests, then replays its answer without secrets", async () => {
      const { scope } = await newTenant(open());
      const same = subject();
      const claims = await Promise.all([claimKey(scope, same, NOON), claimKey(scope, same, NOON)]);
      expect(claims.map(({ state }) => state).toSorted()).toEqual(["new", "running"]);
      const first = claimOf(claims.find(({ state }) => state === "new"));
      const body = { id: "key_9", secret: "berth_live_x", key: { secret: "x" } };
      await completeKey(scope, first, { status: 201, body });
      expect(await claimKey(scope, same, NOON + 1)).toEqual({
        state: "done",
        status: 201,
        body: { id: "key_9", secret: null, key: { secret: null } },
      });
      expect(await claimKey(scope, { ...same, fingerprint: "f2" }, NOON)).toEqual({
        state: "mismatch",
      });
    });

    it("keeps keys of tenants, principals and routes apart", async () => {
      const { scope } = await newTenant(open());
      const other = await newTenant(open());
      const same = subject();
      const states = [
        await claimKey(scope, same, NOON),
        await claimKey(other.scope, same, NOON),
        await claimKey(open(), same, NOON),
        await claimKey(scope, { ...same, principal: "key_2" }, NOON),
        await claimKey(scope, { ...same, route: "POST /v1/keys" }, NOON),
      ].map(({ state }) => state);
      expect(states).toEqual(["new", "new", "new", "new", "new"]);
    });

    it("hands a dead request's key on, and the dead request can then write nothing", async () => {
      const { scope } = await newTenant(open());
      const same = subject();
      const dead = claimOf(await claimKey(scope, same, NOON));
      const next = claimOf(await claimKey(scope, same, NOON + CLAIM_MS));
      await completeKey(scope, dead, { status: 201, body: "dead" });
      await abandonKey(scope, dead);
      expect((await claimKey(scope, same, NOON + CLAIM_MS)).state).toBe("running");
      await completeKey(scope, next, { status: 201, body: "next" });
      expect(await claimKey(scope, same, NOON + CLAIM_MS)).toMatchObject({ body: "next" });
    });

    it("forgets an answer after a day, and a refusal at once", async () => {
      const { scope } = await newTenant(open());
      const same = subject();
      await abandonKey(scope, claimOf(await claimKey(scope, same, NOON)));
      const ran = claimOf(await claimKey(scope, same, NOON));
      await completeKey(scope, ran, { status: 200, body: null });
      expect((await claimKey(scope, same, NOON + REPLAY_MS - 1)).state).toBe("done");
      expect((await claimKey(scope, same, NOON + REPLAY_MS)).state).toBe("new");
    });
  });
}
