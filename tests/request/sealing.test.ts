/** What a tenant's secrets are sealed under: swapped, broken, rotated under load, destroyed. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { GRACE_MS } from "../../core/data-keys/store-rotate.ts";
import { destroyDataKeys } from "../../core/data-keys/store-destroy.ts";
import { dataKeysOf } from "../../core/data-keys/store.ts";
import { tenantScope } from "../../core/db/scope.ts";
import { createSealer, createTenantSealer, rewrap } from "../../core/seal/seal.ts";
import { aead } from "../../durable-objects/aead.ts";
import { sealerOf } from "../../workers/edge/sealing.ts";
import { servicesOf } from "../../workers/edge/services.ts";
import { resealSome } from "../../workers/jobs/reseal.ts";
import { FAR_SIDE, MODEL_SERVER, liveAgent, seenBy } from "../fixtures/agent-runs.ts";
import { type TestTenant, askPlatform, deploy, newWorld } from "../fixtures/world.ts";

type DataKey = { readonly id: string; readonly state: string; readonly values: number };
type Row = { readonly id: string; readonly sealed: string };

/** An issuer whose tokens are made with a shared secret, which is sealed. */
const SHARED_SECRET = {
  name: "Shared",
  issuer: "https://issuer.example",
  audience: "berth",
  alg: "HS256",
  shared_secret: "a-secret-that-two-share-0123456789",
};
const OWN_KEY = "sk-own-1234567";

let acme: TestTenant;
let globex: TestTenant;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
  const json = { slug: "own", kind: "openai", base_url: `${MODEL_SERVER}/v1`, api_key: OWN_KEY };
  await acme.json("/v1/providers", 201, { json });
  await globex.json("/v1/providers", 201, { json });
});

const services = () => servicesOf(env);
const scopeOf = ({ id }: TestTenant) => tenantScope(services().platform, id);
const sealerFor = (tenant: TestTenant) => sealerOf(services(), scopeOf(tenant), Date.now());
const reseal = (nowMs = Date.now()) => resealSome(services().platform, services().config, nowMs);

const create = (tenant: TestTenant, name: string, value: string) =>
  tenant.json<{ id: string }>("/v1/secrets", 201, { json: { name, value } });

async function rowsOf(tenant: TestTenant): Promise<readonly Row[]> {
  const query =
    "SELECT id, sealed FROM secret_version WHERE tenant_id = ? AND sealed IS NOT NULL ORDER BY id";
  return (await env.DB.prepare(query).bind(tenant.id).all<Row>()).results;
}

const dataKeys = async (tenant: TestTenant) =>
  (await tenant.json<{ data: DataKey[] }>("/v1/secrets/data-keys", 200)).data;

/** An agent whose tool sends a secret, asked by a model whose key is sealed. */
const sender = (tenant: TestTenant, slug: string, secret: string) =>
  liveAgent(tenant, slug, {
    model: "own/tool-call",
    tools: [
      {
        kind: "http",
        name: "far",
        description: "The far side.",
        url: `${FAR_SIDE}/${slug}`,
        headers: { Authorization: { secret, prefix: "Bearer " } },
      },
    ],
  });

describe("F191 F104: what is sealed", () => {
  it("does not open when two tenants' rows are swapped", async () => {
    await create(acme, "SWAPPED", "value-of-acme");
    await create(globex, "SWAPPED", "value-of-globex");
    const [mine = missing()] = await rowsOf(acme);
    const [theirs = missing()] = await rowsOf(globex);
    const put = (id: string, blob: string) =>
      env.DB.prepare("UPDATE secret_version SET sealed = ? WHERE id = ?").bind(blob, id).run();
    const agent = await sender(acme, "swapped", "SWAPPED");
    const other = await create(acme, "BUMPING", "value-of-other");
    await put(mine.id, theirs.sealed);
    await put(theirs.id, mine.sealed);
    for (const [tenant, { sealed }] of [
      [acme, theirs],
      [globex, mine],
    ] as const) {
      const sealer = await sealerFor(tenant);
      for (const { id } of [mine, theirs]) {
        const place = { tenantId: tenant.id, kind: "secret", id };
        expect(() => sealer.open(place, sealed)).toThrow("unknown_key");
      }
    }
    expect(await deploy(acme, agent.id, { environment: "dev" })).toMatchObject({
      status: "failed",
      error: { code: "spec_invalid" },
    });
    await acme.json(`/v1/secrets/${other.id}/rotate`, 200, { json: { value: "value-of-bump" } });
    expect(await agent.ask("Now")).toMatchObject({
      output: { text: expect.stringContaining("Not sent: there is no secret SWAPPED.") },
    });
    await put(mine.id, mine.sealed);
    await put(theirs.id, theirs.sealed);
    expect(await deploy(acme, agent.id, { environment: "dev" })).toMatchObject({ status: "live" });
  });

  it("does not open with any part of the blob or of the wrapped key changed", async () => {
    const [row = missing()] = await rowsOf(acme);
    const place = { tenantId: acme.id, kind: "secret", id: row.id };
    const sealer = await sealerFor(acme);
    expect(sealer.open(place, row.sealed)).toBe("value-of-acme");
    for (const broken of brokenParts(row.sealed)) {
      expect(() => sealer.open(place, broken)).toThrow("does not open");
    }
    const keys = await dataKeysOf(scopeOf(acme));
    const master = createSealer(aead, services().config.masterKeys);
    for (const { id, wrapped } of keys) {
      for (const broken of brokenParts(wrapped)) {
        const mended = createTenantSealer(aead, master, acme.id, [{ id, wrapped: broken }]);
        expect(() => mended.open(place, row.sealed)).toThrow("does not open");
        expect(() => mended.seal(place, "x")).toThrow("does not open");
      }
    }
    const others = await dataKeysOf(scopeOf(globex));
    const stolen = others.map(({ wrapped }) => ({ id: keys[0]?.id ?? "", wrapped }));
    const posing = createTenantSealer(aead, master, acme.id, stolen);
    expect(() => posing.open(place, row.sealed)).toThrow("not_authentic");
  });
});

describe("F190 F209: a data key's rotation", () => {
  it("lets everything open at every moment, and ends with the old key destroyed", async () => {
    const { id } = await create(acme, "ROLLING", "value-of-roll-0");
    await acme.json("/v1/issuers", 201, { json: SHARED_SECRET });
    const agent = await sender(acme, "rolling", "ROLLING");
    const before = await dataKeys(acme);
    const rounds = Array.from({ length: 4 }, (_, i) => i + 1);
    const writing = async () => {
      for (const n of rounds) {
        await acme.json(`/v1/secrets/${id}/rotate`, 200, { json: { value: `value-of-roll-${n}` } });
        await create(acme, `WRITTEN_${n}`, `value-of-written-${n}`);
      }
    };
    const asking = async () => {
      for (const n of rounds) {
        const asked = await Promise.all([agent.ask(`A${n}`), agent.ask(`B${n}`)]);
        expect(asked.map(({ status }) => status)).toEqual(["succeeded", "succeeded"]);
      }
    };
    const rotating = async () => {
      for (const _ of rounds) {
        await acme.json("/v1/secrets/rotate-data-key", 200, { method: "POST" });
        await reseal();
      }
    };
    await Promise.all([writing(), asking(), rotating()]);
    const sent = await seenBy(FAR_SIDE, { label: "rolling" });
    for (const { headers } of sent) {
      expect(headers["authorization"]).toMatch(/^Bearer value-of-roll-\d$/);
    }
    await reseal();
    const [active, ...retiring] = await dataKeys(acme);
    expect(retiring).toHaveLength(4);
    expect(retiring.map(({ values }) => values)).toEqual([0, 0, 0, 0]);
    expect(retiring.map((key) => key.id)).toContain(before[0]?.id);
    expect(active).toMatchObject({
      state: "active",
      values: (await rowsOf(acme)).length + 2,
    });
    await reseal(Date.now() + GRACE_MS + 1000);
    expect(await dataKeys(acme)).toEqual([active]);
    const sealer = await sealerFor(acme);
    for (const row of await rowsOf(acme)) {
      const place = { tenantId: acme.id, kind: "secret", id: row.id };
      expect(sealer.open(place, row.sealed)).toMatch(/^value-of-/);
    }
    expect(await agent.ask("After")).toMatchObject({ status: "succeeded" });
  });

  it("destroys nothing that something is still sealed under, however late a write comes", async () => {
    const [old = missing()] = await dataKeys(acme);
    const late = await sealerFor(acme);
    await acme.json("/v1/secrets/rotate-data-key", 200, { method: "POST" });
    const [row = missing()] = await rowsOf(acme);
    const place = { tenantId: acme.id, kind: "secret", id: row.id };
    const blob = late.seal(place, "value-of-late");
    await env.DB.prepare("UPDATE secret_version SET sealed = ? WHERE id = ?")
      .bind(blob, row.id)
      .run();
    expect(blob).toContain(old.id);
    await reseal(Date.now() + GRACE_MS + 1000);
    const [now = missing()] = await rowsOf(acme);
    expect((await sealerFor(acme)).open(place, now.sealed)).toBe("value-of-late");
    expect(now.sealed).not.toContain(old.id);
  });
});

describe("F190 F209: the master key's rotation", () => {
  const [newest = missing(), before = missing()] = services().config.masterKeys;

  it("wraps every data key again under load, and tells what is left", async () => {
    const { DB } = env;
    await create(acme, "WRAPPED", "value-of-wrapped");
    await wrapAllUnder(before.kid);
    const agent = await sender(acme, "wrapped", "WRAPPED");
    expect(await agent.ask("Under the old one")).toMatchObject({ status: "succeeded" });
    expect(await sealing()).toMatchObject({
      master_keys: [
        { kid: newest.kid, state: "seals", data_keys: 0 },
        { kid: before.kid, state: "opens", data_keys: expect.any(Number) },
      ],
    });
    const asking = Array.from({ length: 8 }, (_, i) => agent.ask(`Under load ${i}`));
    const writing = Array.from({ length: 4 }, (_, i) =>
      create(acme, `WRAPPED_${i}`, `value-of-wrapped-${i}`),
    );
    const [asked] = await Promise.all([Promise.all(asking), Promise.all(writing), reseal()]);
    expect(new Set(asked.map(({ status }) => status))).toEqual(new Set(["succeeded"]));
    expect(await sealing()).toMatchObject({
      master_keys: [{ kid: newest.kid }, { kid: before.kid, data_keys: 0, values: 0 }],
    });
    expect(await agent.ask("Under the new one")).toMatchObject({ status: "succeeded" });
    const [release] = await agent.rows<{ body: string }>(
      "SELECT body FROM release ORDER BY generation DESC LIMIT 1",
    );
    expect(release?.body).toContain(`v1.${newest.kid}.`);
    expect(release?.body).not.toContain(`v1.${before.kid}.`);
    const alone = createSealer(aead, [newest]);
    const keys = await dataKeysOf(scopeOf(acme));
    const sealer = createTenantSealer(aead, alone, acme.id, keys);
    for (const row of await rowsOf(acme)) {
      const place = { tenantId: acme.id, kind: "secret", id: row.id };
      expect(sealer.open(place, row.sealed)).toMatch(/^value-of-/);
    }
    const trail = await DB.prepare("SELECT action FROM audit WHERE action = ?")
      .bind("data_key.rewrapped")
      .all();
    expect(trail.results.length).toBeGreaterThan(0);
  });

  it("takes values from before there were data keys under one", async () => {
    const master = createSealer(aead, [before]);
    const query = "SELECT id FROM provider WHERE tenant_id = ?";
    const row = await env.DB.prepare(query).bind(globex.id).first<{ id: string }>();
    const place = { tenantId: globex.id, kind: "provider", id: row?.id ?? "" };
    await env.DB.prepare("UPDATE provider SET sealed_key = ? WHERE id = ?")
      .bind(master.seal(place, OWN_KEY), place.id)
      .run();
    await create(globex, "LEGACY", "value-of-legacy");
    const agent = await sender(globex, "legacy", "LEGACY");
    expect(await agent.ask("Before")).toMatchObject({ status: "succeeded" });
    expect(await sealing()).toMatchObject({ master_keys: [{}, { values: 1 }] });
    await reseal();
    expect(await sealing()).toMatchObject({ master_keys: [{}, { values: 0 }] });
    const after = await env.DB.prepare("SELECT sealed_key FROM provider WHERE id = ?")
      .bind(place.id)
      .first<{ sealed_key: string }>();
    expect(after?.sealed_key).toMatch(/^v2\.dky_/);
    expect(await agent.ask("After")).toMatchObject({ status: "succeeded" });
  });

  async function wrapAllUnder(kid: string): Promise<void> {
    const backwards = services().config.masterKeys.toReversed();
    const master = createSealer(aead, backwards);
    type Key = { id: string; tenant_id: string; wrapped: string };
    const { results } = await env.DB.prepare(
      "SELECT * FROM data_key WHERE wrapped IS NOT NULL",
    ).all<Key>();
    for (const { id, tenant_id: tenantId, wrapped } of results) {
      const again = rewrap(master, tenantId, { id, wrapped });
      expect(again.kid).toBe(kid);
      await env.DB.prepare("UPDATE data_key SET wrapped = ?, kid = ? WHERE id = ?")
        .bind(again.wrapped, kid, id)
        .run();
    }
  }

  async function sealing(): Promise<unknown> {
    const answer = await askPlatform("/v1/sealing");
    expect(answer.status).toBe(200);
    return answer.json();
  }
});

describe("F191: a tenant's data keys destroyed", () => {
  it("leave nothing that opens", async () => {
    const rows = await rowsOf(globex);
    expect(rows.length).toBeGreaterThan(0);
    const { count } = await destroyDataKeys(scopeOf(globex), Date.now());
    expect(count).toBeGreaterThan(0);
    const master = createSealer(aead, services().config.masterKeys);
    const kept = await dataKeysOf(scopeOf(globex));
    expect(kept).toEqual([]);
    for (const sealer of [
      createTenantSealer(aead, master, globex.id, kept),
      await sealerFor(acme),
      await sealerFor(globex),
    ]) {
      for (const { id, sealed } of rows) {
        const place = { tenantId: globex.id, kind: "secret", id };
        expect(() => sealer.open(place, sealed)).toThrow("unknown_key");
      }
    }
    const agent = await globex.json<{ id: string }>("/v1/agents/legacy", 200);
    expect(await deploy(globex, agent.id, { environment: "dev" })).toMatchObject({
      status: "failed",
    });
  });
});

/** A blob with one character of each of its parts changed, in turn. */
function brokenParts(blob: string): readonly string[] {
  const parts = blob.split(".");
  return parts.map((part, n) => {
    const changed = (part.startsWith("A") ? "B" : "A") + part.slice(1);
    return parts.with(n, changed).join(".");
  });
}

function missing(): never {
  throw new Error("there is nothing to go on from");
}
