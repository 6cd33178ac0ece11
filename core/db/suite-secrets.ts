import { describe, expect, it } from "vitest";
import { and, eq } from "drizzle-orm";
import { aead } from "../../durable-objects/aead.ts";
import { destroyDataKeys } from "../data-keys/store-destroy.ts";
import {
  countByMaster,
  destroyRetired,
  GRACE_MS,
  keysUnder,
  listDataKeys,
  putRewrapped,
  retiringKeys,
  rotateDataKey,
} from "../data-keys/store-rotate.ts";
import { countSealed, putSealed, sealedValues, underDataKey } from "../data-keys/store-sealed.ts";
import { dataKeysOf, ensureDataKeys } from "../data-keys/store.ts";
import { dataKey } from "../data-keys/table.ts";
import type { MasterKey } from "../seal/contract.ts";
import { createSealer, createTenantSealer, forgeDataKey, rewrap } from "../seal/seal.ts";
import { sealedSecrets } from "../secrets/store-references.ts";
import {
  dropEndedVersions,
  listSecretVersions,
  openableVersions,
  rotateSecret,
} from "../secrets/store-rotate.ts";
import { noteUse } from "../secrets/store-use.ts";
import { createSecret, deleteSecret, getSecret, patchSecret } from "../secrets/store.ts";
import type { TenantScope } from "./scope.ts";
import { missing, NOON, newTenant, type Open, race, refusal } from "./suite-world.ts";

const K1: MasterKey = { kid: "k1", key: new Uint8Array(32).fill(1) };
const MASTER = createSealer(aead, [K1]);
const CRM = { name: "CRM", value: "crm-value", description: "" };
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

    it("F190: of racing rotations one wins, and one key is active", async () => {
      const { scope } = await newTenant(open());
      const [first = missing("a key")] = await ensureDataKeys(scope, forge, NOON);
      const rotating = [1, 2, 3].map(() => rotateDataKey(scope, first.id, forge, NOON));
      expect(await race(rotating)).toMatchObject({ won: 1, refused: ["conflict", "conflict"] });
      const [active, old] = await listDataKeys(scope, NOON);
      expect([active?.state, old?.state]).toEqual(["active", "retiring"]);
      expect(old?.id).toBe(first.id);
      const again = rotateDataKey(scope, first.id, forge, NOON);
      expect(await refusal(again)).toBe("conflict");
    });

    it("F190: a value is put under another key only where it still is what was read", async () => {
      const { scope } = await newTenant(open());
      const sealer = await sealerFor(scope);
      const { id } = await createSecret(scope, CRM, sealer, NOON);
      const [old = missing("a key")] = await ensureDataKeys(scope, forge, NOON);
      const [value = missing("a value")] = await sealedValues(scope, underDataKey(old.id), 10);
      expect(value.place).toEqual({ tenantId: scope.tenantId, kind: "secret", id: `${id}.1` });
      await putSealed(scope, [{ ...value, blob: "v2.other", again: "v2.lost" }], NOON);
      expect(await countSealed(scope, underDataKey(old.id))).toBe(1);
      await putSealed(scope, [{ ...value, again: "v2.moved" }], NOON);
      expect(await countSealed(scope, underDataKey(old.id))).toBe(0);
      expect(await countSealed(scope, "v2.moved")).toBe(1);
    });

    it("F190: a retiring key goes when nothing is left under it, and after its grace", async () => {
      const { scope } = await newTenant(open());
      await createSecret(scope, CRM, await sealerFor(scope), NOON);
      const [old = missing("a key")] = await ensureDataKeys(scope, forge, NOON);
      await rotateDataKey(scope, old.id, forge, NOON);
      const late = NOON + GRACE_MS;
      expect(await destroyRetired(scope, old.id, late)).toBe(false);
      const [value = missing("a value")] = await sealedValues(scope, underDataKey(old.id), 10);
      await putSealed(scope, [{ ...value, again: "v2.moved" }], NOON);
      expect(await destroyRetired(scope, old.id, late - 1)).toBe(false);
      const other = (await newTenant(open())).scope;
      expect(await destroyRetired(other, old.id, late)).toBe(false);
      const retiring = async () => (await retiringKeys(open(), 100)).map(({ id }) => id);
      expect(await retiring()).toContain(old.id);
      expect(await destroyRetired(scope, old.id, late)).toBe(true);
      expect(await retiring()).not.toContain(old.id);
      const [active] = await listDataKeys(scope, late);
      expect(await destroyRetired(scope, active?.id ?? "", late)).toBe(false);
    });

    it("F190: a key is wrapped again once, and counted under its master key", async () => {
      const { scope } = await newTenant(open());
      const kid = `k${scope.tenantId.slice(-8)}`;
      const from = createSealer(aead, [{ kid, key: K1.key }]);
      await ensureDataKeys(scope, (tenantId, id) => forgeDataKey(from, tenantId, id), NOON);
      const [found = missing("a key")] = await keysUnder(open(), [kid], 10);
      expect((await countByMaster(open())).get(kid)).toBe(1);
      const both = createSealer(aead, [K1, { kid, key: K1.key }]);
      const again = rewrap(both, scope.tenantId, found);
      await putRewrapped(scope, { ...found, wrapped: "v1.stale" }, again, NOON);
      expect(await keysUnder(open(), [kid], 10)).toHaveLength(1);
      await putRewrapped(scope, found, again, NOON);
      expect(await keysUnder(open(), [kid], 10)).toEqual([]);
      expect((await countByMaster(open())).has(kid)).toBe(false);
      const place = { tenantId: scope.tenantId, kind: "secret", id: "sec_1" };
      const sealer = await sealerFor(scope);
      expect(sealer.open(place, sealer.seal(place, "still"))).toBe("still");
    });

    it("F191: destroyed, they open nothing, seal nothing, and are still named", async () => {
      const { scope } = await newTenant(open());
      const place = { tenantId: scope.tenantId, kind: "secret", id: "sec_1" };
      const sealer = await sealerFor(scope);
      const blob = sealer.seal(place, "gone");
      const gone = await destroyDataKeys(scope, NOON + 1);
      expect(gone).toEqual({ count: 1, fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) });
      expect(await destroyDataKeys(scope, NOON + 2)).toEqual(gone);
      const left = createTenantSealer(aead, MASTER, scope.tenantId, await dataKeysOf(scope));
      expect(() => left.open(place, blob)).toThrow("unknown_key");
      expect(() => left.seal(place, "more")).toThrow("unknown_key");
      const rows = await scope.db
        .select()
        .from(dataKey)
        .where(eq(dataKey.tenantId, scope.tenantId));
      expect(rows).toMatchObject([{ state: "destroyed", wrapped: null, kid: null }]);
    });
  });

  describe("named secrets", () => {
    it("F190: of racing rotations one wins, and the others are told", async () => {
      const { scope } = await newTenant(open());
      const sealer = await sealerFor(scope);
      const { id } = await createSecret(scope, CRM, sealer, NOON);
      const { won, refused } = await race(
        ["value-a", "value-b", "value-c"].map((value) =>
          rotateSecret(scope, id, { value, overlap_seconds: 60 }, sealer, NOON),
        ),
      );
      expect(won).toBeGreaterThan(0);
      expect(new Set(refused)).toEqual(new Set(won < 3 ? ["conflict"] : []));
      expect(await listSecretVersions(scope, id, NOON)).toHaveLength(won + 1);
      expect(await getSecret(scope, id, NOON)).toMatchObject({ version: won + 1 });
    });

    it("F190: an old value opens until its overlap ends, and is gone then", async () => {
      const { scope } = await newTenant(open());
      const sealer = await sealerFor(scope);
      const { id } = await createSecret(scope, CRM, sealer, NOON);
      await rotateSecret(scope, id, { value: "newer-value", overlap_seconds: 60 }, sealer, NOON);
      const numbers = async (nowMs: number) =>
        (await openableVersions(scope, id, nowMs)).map(({ version }) => version);
      expect(await numbers(NOON + 59_999)).toEqual([1, 2]);
      expect(await numbers(NOON + 60_000)).toEqual([2]);
      expect(await sealedSecrets(scope, ["CRM"])).toMatchObject([
        { versionId: `${id}.2`, earlier: [{ versionId: `${id}.1` }] },
      ]);
      await dropEndedVersions(open(), NOON + 60_000);
      expect(await numbers(NOON)).toEqual([2]);
      expect(await sealedSecrets(scope, ["CRM"])).toMatchObject([{ earlier: [] }]);
    });

    it("F13: are another tenant's to none", async () => {
      const acme = (await newTenant(open())).scope;
      const globex = (await newTenant(open())).scope;
      const sealer = await sealerFor(acme);
      const { id } = await createSecret(acme, CRM, sealer, NOON);
      const rotation = { value: "stolen-value", overlap_seconds: 0 };
      const tries = [
        getSecret(globex, id, NOON),
        patchSecret(globex, id, 1, { description: "mine" }, NOON),
        deleteSecret(globex, id, 1, NOON),
        rotateSecret(globex, id, rotation, sealer, NOON),
        listSecretVersions(globex, id, NOON),
        openableVersions(globex, id, NOON),
      ];
      expect(new Set(await Promise.all(tries.map(refusal)))).toEqual(new Set(["not_found"]));
      expect(await sealedSecrets(globex, ["CRM"])).toEqual([]);
      expect(await sealedSecrets(acme, ["CRM"])).toMatchObject([{ id, versionId: `${id}.1` }]);
      await noteUse(globex, id, "agt_x", NOON);
      expect(await getSecret(acme, id, NOON)).toMatchObject({ last_used_at: null, revision: 1 });
    });
  });
}
