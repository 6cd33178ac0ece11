import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { audit } from "../audit/table.ts";
import type { CreateKey } from "../keys/contract.ts";
import { meterOf } from "../keys/row.ts";
import { patchKey, rotateKey } from "../keys/store-change.ts";
import { createKey, findKey, getKey, keyRowOf, listKeys } from "../keys/store.ts";
import { key } from "../keys/table.ts";
import type { Principal } from "../principals/contract.ts";
import type { TenantScope } from "./scope.ts";
import { NOON, newTenant, type Open, principalOf, race, refusal } from "./suite-world.ts";

const WISH: CreateKey = { name: "ci", scopes: ["agents:read"] };
const GRACE = { grace_seconds: 60 };

const actionsOn = async (scope: TenantScope, id: string) => {
  const rows = await scope.db
    .select({ action: audit.action })
    .from(audit)
    .where(eq(audit.resourceId, id));
  return rows.map(({ action }) => action).toSorted();
};

export function keyCases(open: Open): void {
  describe("keys with rules", () => {
    it("F25, F36: keeps rules, limits, credits and metadata as they were set", async () => {
      const { scope } = await newTenant(open());
      const by = principalOf(scope);
      const issued = await createKey(
        scope,
        by,
        {
          ...WISH,
          allowed_ips: ["192.0.2.0/24"],
          allowed_origins: ["https://a.example"],
          rate_limits: [{ limit: 5, period_seconds: 60 }],
          credits: { budget: 10, refill: { amount: 5, interval_seconds: 3600 } },
          metadata: { team: "a" },
          enabled: false,
        },
        NOON,
      );
      const { secret: _secret, ...shown } = issued;
      expect(await getKey(scope, issued.id)).toEqual(shown);
      expect(shown).toMatchObject({ status: "disabled", revision: 1, created_by: by.id });
      const row = await findKey(open(), issued.id);
      expect(row?.meter).toEqual({
        subject: issued.id,
        rates: [{ limit: 5, periodMs: 60_000 }],
        credits: {
          units: 10,
          revision: 1,
          setAtMs: NOON,
          refill: { amount: 5, intervalMs: 3_600_000 },
        },
      });
      expect(row).toMatchObject({ disabledAtMs: NOON, allowedIps: ["192.0.2.0/24"] });
    });

    it("F25: a key from before there were rules has none, and is at revision 1", async () => {
      const { scope, key: first } = await newTenant(open());
      await scope.db
        .update(key)
        .set({ revision: null, updatedAtMs: null })
        .where(eq(key.id, first.id));
      expect(await getKey(scope, first.id)).toMatchObject({ revision: 1, enabled: true });
      const by = principalOf(scope);
      const changed = await patchKey(scope, by, first.id, 1, { name: "first" }, NOON + 1);
      expect(changed).toMatchObject({ name: "first", revision: 2 });
      expect(await getKey(scope, first.id)).toEqual(changed);
    });

    it("K1: of racing changes at one revision one wins, and leaves one entry", async () => {
      const { scope } = await newTenant(open());
      const by = principalOf(scope);
      const { id } = await createKey(scope, by, WISH, NOON);
      const { won, refused } = await race(
        ["a", "b", "c"].map((name) => patchKey(scope, by, id, 1, { name }, NOON)),
      );
      expect([won, refused]).toEqual([1, ["version_conflict", "version_conflict"]]);
      expect(await actionsOn(scope, id)).toEqual(["key.changed", "key.created"]);
    });

    it("K2: who could not mint what the key becomes cannot make it so", async () => {
      const { scope } = await newTenant(open());
      const { id } = await createKey(scope, principalOf(scope), WISH, NOON);
      const weak = principalOf(scope, { scopes: ["keys:write", "agents:read"] });
      const change = (patch: Parameters<typeof patchKey>[4], by: Principal = weak) =>
        patchKey(scope, by, id, 1, patch, NOON);
      expect(await refusal(change({ scopes: ["agents:write"] }))).toBe("forbidden");
      const narrow = { ...weak, environment: "dev" };
      expect(await refusal(change({ environment: null }, narrow))).toBe("forbidden");
      expect((await change({ environment: "dev" }, narrow)).environment).toBe("dev");
    });

    it("K3, F34: of racing rotations one wins; its row is written with the old one's end", async () => {
      const { scope } = await newTenant(open());
      const by = principalOf(scope);
      const limits = { rate_limits: [{ limit: 5, period_seconds: 60 }] };
      const { id } = await createKey(scope, by, { ...WISH, ...limits }, NOON);
      const rotations = [1, 2, 3].map(() => rotateKey(scope, by, id, GRACE, NOON));
      const { won, refused } = await race(rotations);
      expect([won, refused]).toEqual([1, ["conflict", "conflict"]]);
      const old = await keyRowOf(scope, id);
      expect(old.expiresAtMs).toBe(NOON + 60_000);
      const next = await keyRowOf(scope, old.rotatedTo ?? "");
      expect(next).toMatchObject({ rotatedFrom: id, expiresAtMs: null, revision: 2 });
      expect(meterOf(next)?.subject).toBe(id);
      const made = await scope.db.select().from(key).where(eq(key.rotatedFrom, id));
      expect(made).toHaveLength(1);
      expect(await actionsOn(scope, id)).toEqual(["key.created", "key.rotated"]);
      const third = await rotateKey(scope, by, next.id, GRACE, NOON);
      expect(meterOf(await keyRowOf(scope, third.id))?.subject).toBe(id);
    });

    it("F25: a personal key is minted and rotated for its owner alone", async () => {
      const { scope, admin } = await newTenant(open());
      const owner = principalOf(scope, { kind: "user", id: admin.id });
      const own = await createKey(scope, owner, WISH, NOON, admin.id);
      expect(own.owner_id).toBe(admin.id);
      const stranger = rotateKey(scope, principalOf(scope), own.id, GRACE, NOON);
      expect(await refusal(stranger)).toBe("forbidden");
      const query = { limit: 25, owner_id: admin.id };
      expect((await listKeys(scope, query)).data.map(({ id }) => id)).toEqual([own.id]);
      const asKey = principalOf(scope, { id: own.id });
      expect(await refusal(createKey(scope, asKey, WISH, NOON))).toBe("forbidden");
      const next = await rotateKey(scope, owner, own.id, GRACE, NOON);
      expect(next.owner_id).toBe(admin.id);
    });

    it("F5, F13: another tenant's key is not changed or rotated", async () => {
      const acme = await newTenant(open());
      const globex = await newTenant(open());
      const by = principalOf(globex.scope);
      const { id } = acme.key;
      expect(await refusal(patchKey(globex.scope, by, id, 1, { name: "x" }, NOON))).toBe(
        "not_found",
      );
      expect(await refusal(rotateKey(globex.scope, by, id, GRACE, NOON))).toBe("not_found");
      expect(await getKey(acme.scope, id)).toMatchObject({ revision: 1, rotated_to: null });
    });
  });
}
