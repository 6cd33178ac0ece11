import { describe, expect, it } from "vitest";
import { and, eq } from "drizzle-orm";
import { aead } from "../../durable-objects/aead.ts";
import { ensureDataKeys } from "../data-keys/store.ts";
import { dataKey } from "../data-keys/table.ts";
import type { MasterKey } from "../seal/contract.ts";
import { createSealer, createTenantSealer, forgeDataKey } from "../seal/seal.ts";
import type { TenantScope } from "./scope.ts";
import { NOON, newTenant, type Open } from "./suite-world.ts";

const K1: MasterKey = { kid: "k1", key: new Uint8Array(32).fill(1) };
const MASTER = createSealer(aead, [K1]);
const forge = (tenantId: string, id: string) => forgeDataKey(MASTER, tenantId, id);

async function sealerFor(scope: TenantScope) {
  const keys = await ensureDataKeys(scope, forge, NOON);
  return createTenantSealer(aead, MASTER, scope.tenantId, keys);
}

export function secretCases(open: Open): void {
  describe("data keys", () => {
    it("F191: of racing first needs one makes the key, and all of them get it", async () => {
      const { scope } = await newTenant(open());
      const all = await Promise.all(
        Array.from({ length: 8 }, () => ensureDataKeys(scope, forge, NOON)),
      );
      expect(new Set(all.map((keys) => JSON.stringify(keys))).size).toBe(1);
      const active = and(eq(dataKey.tenantId, scope.tenantId), eq(dataKey.state, "active"));
      expect(await scope.db.select().from(dataKey).where(active)).toHaveLength(1);
    });

    it("F191, F104: a tenant's key opens nothing of another's, not even swapped in the store", async () => {
      const acme = (await newTenant(open())).scope;
      const globex = (await newTenant(open())).scope;
      const place = { tenantId: acme.tenantId, kind: "secret", id: "sec_1" };
      const blob = (await sealerFor(acme)).seal(place, "mine");
      await sealerFor(globex);
      const stolen = { ...place, tenantId: globex.tenantId };
      const theirs = await sealerFor(globex);
      expect(() => theirs.open(stolen, blob)).toThrow("unknown_key");
      const [key] = await ensureDataKeys(acme, forge, NOON);
      const mixed = createTenantSealer(aead, MASTER, globex.tenantId, key ? [key] : []);
      expect(() => mixed.open(stolen, blob)).toThrow("not_authentic");
      expect(() => mixed.open(place, blob)).toThrow("not_authentic");
    });
  });
}
