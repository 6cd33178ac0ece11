import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { createAgent, deleteAgent } from "../agents/store.ts";
import { audit } from "../audit/table.ts";
import { newId } from "../ids.ts";
import { createInvitation } from "../invitations/store.ts";
import { createKey, revokeKey } from "../keys/store.ts";
import { createProject } from "../projects/store.ts";
import { createProvider } from "../providers/store.ts";
import { createSecret } from "../secrets/store.ts";
import {
  getOwnTenant,
  patchOwnTenant,
  patchTenant,
  provisionTenant,
  reactivateTenant,
  suspendTenant,
} from "../tenants/store.ts";
import { tenant } from "../tenants/table.ts";
import type { Tiers } from "../tiers/contract.ts";
import { tenantQuotas } from "../tiers/store.ts";
import type { TenantScope } from "./scope.ts";
import { NOON, newTenant, type Open, principalOf, race, refusal } from "./suite-world.ts";

const SMALL: Tiers = [
  { slug: "free", quotas: { agents: 2, keys: 3 } },
  { slug: "business", quotas: {} },
];

/** What happens to a tenant: quotas, suspension, flags. */
export function platformCases(open: Open): void {
  const small = (scope: TenantScope): TenantScope => ({ ...scope, tiers: SMALL });
  const agent = (scope: TenantScope, slug: string) =>
    createAgent(scope, { slug, name: slug, description: "" }, NOON);

  describe("quotas", () => {
    it("F178: of racing creations exactly as many go through as the tier allows", async () => {
      const scope = small((await newTenant(open(), "free")).scope);
      const slugs = ["a1", "a2", "a3", "a4", "a5", "a6"];
      const { won, refused } = await race(slugs.map((slug) => agent(scope, slug)));
      expect(won).toBe(2);
      expect(refused).toEqual(Array.from({ length: 4 }, () => "quota_exceeded"));
      const key = () => createKey(scope, principalOf(scope), { name: "k", scopes: [] }, NOON);
      expect((await race([key(), key(), key(), key()])).won).toBe(2); // and the first key
      expect(await tenantQuotas(scope)).toMatchObject({
        tier: "free",
        quotas: expect.arrayContaining([
          { noun: "agents", used: 2, allowed: 2 },
          { noun: "keys", used: 3, allowed: 3 },
        ]),
      });
    });

    it("F178: what was removed makes room, and a taken slug is told before the quota", async () => {
      const { key, ...made } = await newTenant(open(), "free");
      const scope = small(made.scope);
      const first = await agent(scope, "one");
      await agent(scope, "two");
      expect(await refusal(agent(scope, "one"))).toBe("already_exists");
      expect(await refusal(agent(scope, "three"))).toBe("quota_exceeded");
      await deleteAgent(scope, first.id, 1, NOON);
      expect((await agent(scope, "three")).slug).toBe("three");
      await revokeKey(scope, key.id, NOON);
      expect(await tenantQuotas(scope)).toMatchObject({
        quotas: expect.arrayContaining([{ noun: "keys", used: 0, allowed: 3 }]),
      });
    });

    it("F178: bounds everything that tiers name, each by its own count", async () => {
      const own = (await newTenant(open(), "free")).scope;
      const quotas = { members: 2, projects: 2, providers: 1, secrets: 1 };
      const scope = { ...own, tiers: [{ slug: "free", quotas }] };
      const sealer = { seal: () => "sealed", open: () => "" };
      const secret = (name: string) =>
        createSecret(scope, { name, value: "v", description: "" }, sealer, NOON);
      const project = (slug: string) =>
        createProject(scope, { slug, name: slug, description: "" }, NOON);
      const provider = (slug: string) =>
        createProvider(
          scope,
          { slug, kind: "openai", base_url: "https://p.test" },
          async () => "",
          NOON,
        );
      const invite = (email: string) => createInvitation(scope, { email, role: "viewer" }, NOON);
      await secret("one");
      await project("one");
      await provider("one");
      await invite("one@x.example");
      expect(await refusal(secret("one"))).toBe("already_exists");
      expect(await refusal(project("one"))).toBe("already_exists");
      expect(await refusal(provider("one"))).toBe("already_exists");
      expect(await refusal(invite("one@x.example"))).toBe("already_exists");
      const more = [
        () => secret("two"),
        () => project("two"),
        () => provider("two"),
        () => invite("two@x.example"),
      ];
      for (const create of more) {
        expect(await refusal(create())).toBe("quota_exceeded");
      }
    });

    it("F178: another tier counts at once; none, from before there were tiers, bounds nothing", async () => {
      const { scope: own, tenant: made } = await newTenant(open(), "free");
      const scope = small(own);
      await agent(scope, "one");
      await agent(scope, "two");
      await patchTenant(scope, made.revision, { tier: "business" }, NOON);
      await agent(scope, "three");
      expect(await tenantQuotas(scope)).toMatchObject({
        tier: "business",
        quotas: expect.arrayContaining([{ noun: "agents", used: 3, allowed: null }]),
      });
      await open().db.update(tenant).set({ tier: "gone" }).where(eq(tenant.id, made.id));
      expect(await refusal(agent(scope, "four"))).toBe("quota_exceeded");
      await open().db.update(tenant).set({ tier: null }).where(eq(tenant.id, made.id));
      await agent(scope, "four");
      expect((await tenantQuotas(scope)).tier).toBeNull();
    });

    it("F17: provisions into a tier there is, and into no other", async () => {
      const input = {
        slug: `p-${newId("tenant", NOON).slice(-16)}`,
        name: "P",
        admin: { email: "p@p.example", name: "P" },
      };
      expect(await refusal(provisionTenant(open(), { ...input, tier: "platinum" }, NOON))).toBe(
        "invalid",
      );
      expect((await provisionTenant(open(), input, NOON)).tenant.tier).toBe("free");
    });
  });

  describe("a tenant's life", () => {
    it("F18: suspends and reactivates; again changes the reason, or nothing", async () => {
      const { scope } = await newTenant(open());
      const suspended = await suspendTenant(scope, "unpaid", NOON);
      expect(suspended).toMatchObject({
        status: "suspended",
        suspended_reason: "unpaid",
        suspended_at: "2026-11-20T12:00:00.000Z",
        revision: 2,
      });
      const again = await suspendTenant(scope, "still unpaid", NOON + 1000);
      expect(again).toMatchObject({
        suspended_reason: "still unpaid",
        suspended_at: suspended.suspended_at,
      });
      const active = await reactivateTenant(scope, NOON);
      expect(active).toMatchObject({ status: "active", suspended_reason: null, revision: 4 });
      expect(await reactivateTenant(scope, NOON)).toEqual(active);
    });

    it("F18: one that is being erased is neither suspended nor reactivated", async () => {
      const { scope, tenant: made } = await newTenant(open());
      await open().db.update(tenant).set({ status: "erasing" }).where(eq(tenant.id, made.id));
      expect(await refusal(suspendTenant(scope, undefined, NOON))).toBe("conflict");
      expect(await refusal(reactivateTenant(scope, NOON))).toBe("conflict");
    });

    it("F8: keeps only the flags that differ, and gives the default back", async () => {
      const { scope } = await newTenant(open());
      const off = await patchTenant(scope, 1, { flags: { sso: false } }, NOON);
      expect(off.flags).toMatchObject({ sso: false, custom_hostnames: true });
      const back = await patchTenant(scope, 2, { flags: { sso: null } }, NOON);
      expect(back.flags.sso).toBe(true);
      expect(
        (await open().db.select().from(tenant).where(eq(tenant.id, scope.tenantId)))[0],
      ).toMatchObject({ flags: null });
    });

    it("F10, F37: every change is in the tenant's audit, and a stale one is not", async () => {
      const { scope } = await newTenant(open());
      await suspendTenant(scope, "unpaid", NOON);
      await reactivateTenant(scope, NOON);
      await patchOwnTenant(scope, 3, { name: "New", registration: "open" }, NOON);
      await refusal(patchOwnTenant(scope, 3, { name: "Stale" }, NOON));
      expect(await getOwnTenant(scope)).toMatchObject({ name: "New", registration: "open" });
      const rows = await scope.db.select().from(audit).where(eq(audit.tenantId, scope.tenantId));
      expect(rows.map(({ action }) => action).toSorted()).toEqual([
        "tenant.changed",
        "tenant.provisioned",
        "tenant.reactivated",
        "tenant.suspended",
      ]);
      expect(JSON.stringify(rows)).not.toContain("unpaid");
    });
  });
}
