import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { audit } from "../audit/table.ts";
import { findLogo, getBranding, putBranding, putLogo } from "../branding/store.ts";
import { checkHostname, type Look } from "../hostnames/check.ts";
import { challengeName } from "../hostnames/contract.ts";
import type { DnsAnswer } from "../hostnames/dns.ts";
import { type EdgeAnswer, localEdge } from "../hostnames/edge.ts";
import {
  claimName,
  createHostname,
  deleteHostname,
  dueHostnames,
  findHolder,
  findTenantByHostname,
  getHostname,
  type HostnameRow,
} from "../hostnames/store.ts";
import { newId } from "../ids.ts";
import { Problem } from "../problem.ts";
import type { TenantScope } from "./scope.ts";
import { NOON, newTenant, type Open, refusal } from "./suite-world.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** DNS as the world has it now: records by name. */
type Zone = Map<string, readonly string[]>;

/** Names of a tenant's own: who has one, from when, until when; and what its pages wear. */
export function hostnameCases(open: Open): void {
  const freshName = () => `${newId("hostname", NOON).slice(-12)}.companyx.com`;
  const look = (scope: TenantScope, zone: Zone, part: Partial<Look> = {}): Look => ({
    platform: open(),
    scope,
    resolve: async (name) => ({ asked: true, values: zone.get(name) ?? [] }),
    edge: localEdge,
    target: "acme.berth.example",
    counted: false,
    nowMs: NOON,
    ...part,
  });
  const ask = (scope: TenantScope, name: string, token = newId("hostname", NOON)) =>
    createHostname(scope, name, token, NOON);
  const show = (zone: Zone, ...rows: readonly HostnameRow[]) => {
    for (const { name } of rows) {
      const tokens = rows.filter((row) => row.name === name).map(({ token }) => token);
      zone.set(challengeName(name), tokens);
    }
  };
  const active = async (scope: TenantScope, name: string, zone: Zone) => {
    const row = await ask(scope, name);
    show(zone, row);
    return checkHostname(look(scope, zone), row);
  };

  describe("hostnames", () => {
    it("F4: a name is asked for, proven, served, and let go of", async () => {
      const { scope, slug } = await newTenant(open());
      const [name, zone] = [freshName(), new Map()];
      const row = await ask(scope, name);
      expect(row).toMatchObject({ status: "pending", claimedName: null, revision: 1 });
      const early = await checkHostname(look(scope, zone), row);
      expect(early).toMatchObject({ status: "pending", problem: "no TXT record holds the token" });
      expect(await findTenantByHostname(open(), name)).toBeUndefined();
      show(zone, row);
      const served = await checkHostname(look(scope, zone), early);
      expect(served).toMatchObject({ status: "active", problem: null, verifiedAtMs: NOON });
      expect(await findTenantByHostname(open(), name)).toEqual({ slug });
      await deleteHostname(scope, served, NOON);
      expect(await findTenantByHostname(open(), name)).toBeUndefined();
      expect(await findHolder(open(), name)).toBeUndefined();
      const entries = await scope.db.select().from(audit).where(eq(audit.resourceId, row.id));
      expect(entries.map(({ action }) => action).toSorted()).toEqual([
        "hostname.active",
        "hostname.checked",
        "hostname.created",
        "hostname.deleted",
        "hostname.verifying",
      ]);
    });

    it("F4: who only asks for a name holds nothing: whoever proves it has it at once", async () => {
      const [squatter, owner] = [await newTenant(open()), await newTenant(open())];
      const [name, zone] = [freshName(), new Map()];
      await ask(squatter.scope, name);
      const row = await active(owner.scope, name, zone);
      expect(row.status).toBe("active");
      expect(await findTenantByHostname(open(), name)).toEqual({ slug: owner.slug });
    });

    it("F4: of two that prove a name at once one has it, and never both", async () => {
      const [one, two] = [await newTenant(open()), await newTenant(open())];
      const name = freshName();
      const rows = [await ask(one.scope, name), await ask(two.scope, name)] as const;
      const claimed = await Promise.all([
        claimName(open(), one.scope, rows[0], undefined, NOON),
        claimName(open(), two.scope, rows[1], undefined, NOON),
      ]);
      expect(claimed.filter((row) => row !== undefined)).toHaveLength(1);
      const loser = claimed[0] === undefined ? one : two;
      const left = await getHostname(
        loser.scope,
        claimed[0] === undefined ? rows[0].id : rows[1].id,
      );
      expect(left).toMatchObject({ status: "pending", claimedName: null, revision: 1 });
    });

    it("F4: a name that another tenant proves too stays where it is", async () => {
      const [holder, other] = [await newTenant(open()), await newTenant(open())];
      const [name, zone] = [freshName(), new Map()];
      const held = await active(holder.scope, name, zone);
      const row = await ask(other.scope, name);
      show(zone, held, row);
      expect(await refusal(checkHostname(look(other.scope, zone), row))).toBe("conflict");
      expect(await findTenantByHostname(open(), name)).toEqual({ slug: holder.slug });
    });

    it("F4: a name goes over to who proves it, once its holder does not any more", async () => {
      const [holder, other] = [await newTenant(open()), await newTenant(open())];
      const [name, zone] = [freshName(), new Map()];
      const held = await active(holder.scope, name, zone);
      const row = await ask(other.scope, name);
      show(zone, row);
      const taken = await checkHostname(look(other.scope, zone), row);
      expect(taken.status).toBe("active");
      expect(await findTenantByHostname(open(), name)).toEqual({ slug: other.slug });
      expect(await getHostname(holder.scope, held.id)).toMatchObject({
        status: "failed",
        claimedName: null,
        problem: expect.stringContaining("somebody else"),
      });
      const told = await holder.scope.db.select().from(audit).where(eq(audit.resourceId, held.id));
      expect(told.map(({ action }) => action)).toContain("hostname.failed");
    });

    it("F4: what is proven stays while either record leads here, and goes after three days", async () => {
      const { scope } = await newTenant(open());
      const [name, zone] = [freshName(), new Map()];
      let row = await active(scope, name, zone);
      zone.delete(challengeName(name));
      zone.set(name, ["acme.berth.example"]);
      const daily = (nowMs: number) => look(scope, zone, { counted: true, nowMs });
      row = await checkHostname(daily(NOON + DAY), row);
      expect(row).toMatchObject({ status: "active", failures: 0, dueMs: NOON + 2 * DAY });
      zone.set(name, ["elsewhere.example"]);
      // Somebody who asks again and again uses up none of its days.
      for (let n = 0; n < 4; n += 1) row = await checkHostname(look(scope, zone), row);
      expect(row).toMatchObject({ status: "active", failures: 0 });
      row = await checkHostname(daily(NOON + 2 * DAY), row);
      row = await checkHostname(daily(NOON + 3 * DAY), row);
      expect(row).toMatchObject({ status: "active", failures: 2 });
      row = await checkHostname(daily(NOON + 4 * DAY), row);
      expect(row).toMatchObject({ status: "failed", claimedName: null, dueMs: null });
      expect(await findTenantByHostname(open(), name)).toBeUndefined();
    });

    it("F4: where DNS or the edge cannot be asked nothing is concluded", async () => {
      const { scope } = await newTenant(open());
      const [name, zone] = [freshName(), new Map()];
      let row = await active(scope, name, zone);
      const silent = async (): Promise<DnsAnswer> => ({ asked: false, why: "no answer" });
      for (let day = 1; day < 9; day += 1) {
        const part = { resolve: silent, counted: true, nowMs: NOON + day * DAY };
        row = await checkHostname(look(scope, zone, part), row);
      }
      expect(row).toMatchObject({ status: "active", failures: 0, problem: "no answer" });
      const busy = async (): Promise<EdgeAnswer> => ({
        ok: false,
        problem: new Problem("overloaded", "the edge is busy"),
      });
      const part = { edge: { ...localEdge, ensure: busy }, counted: true };
      row = await checkHostname(look(scope, zone, part), row);
      expect(row).toMatchObject({ status: "active", problem: "the edge is busy" });
    });

    it("F4: a name nobody proves is given up after a week, and may be proven later still", async () => {
      const { scope } = await newTenant(open());
      const [name, zone] = [freshName(), new Map()];
      const row = await ask(scope, name);
      const due = async (nowMs: number) =>
        (await dueHostnames(open(), nowMs, 1000)).some(({ id }) => id === row.id);
      expect(await due(NOON)).toBe(true);
      const waiting = await checkHostname(look(scope, zone, { counted: true }), row);
      expect([await due(NOON), await due(NOON + HOUR)]).toEqual([false, true]);
      const late = { counted: true, nowMs: NOON + 8 * DAY };
      const failed = await checkHostname(look(scope, zone, late), waiting);
      expect(failed).toMatchObject({ status: "failed", dueMs: null });
      show(zone, row);
      expect((await checkHostname(look(scope, zone), failed)).status).toBe("active");
    });

    it("F4: a tenant has a name once, and as many as its tier allows", async () => {
      const { scope } = await newTenant(open(), "free");
      const name = freshName();
      await ask(scope, name);
      expect(await refusal(ask(scope, name))).toBe("already_exists");
      expect(await refusal(ask(scope, freshName()))).toBe("quota_exceeded");
    });
  });

  describe("branding", () => {
    it("F7: is a tenant's own, at the revision that was read", async () => {
      const [{ scope }, other] = [await newTenant(open()), await newTenant(open())];
      const wanted = { name: "Acme", light: { accent: "#7a1fa2" }, dark: {} };
      const logo = { type: "image/png", bytes: new Uint8Array([1, 2, 3]), digest: "d" } as const;
      expect(await getBranding(scope)).toMatchObject({ revision: 1, logo: null });
      await putBranding(scope, 1, wanted, NOON);
      await putLogo(scope, 2, logo, NOON);
      expect(await refusal(putBranding(scope, 2, wanted, NOON))).toBe("version_conflict");
      expect(await getBranding(scope)).toEqual({
        ...wanted,
        logo: { media_type: "image/png", size_bytes: 3, digest: "d" },
        revision: 3,
      });
      expect(await findLogo(scope)).toEqual(logo);
      await putLogo(scope, 3, null, NOON);
      expect(await findLogo(scope)).toBeUndefined();
      expect(await getBranding(other.scope)).toMatchObject({ name: null, revision: 1 });
    });
  });
}
