/** A tenant ends: nothing of it is left but the proof that it was erased. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ERASURE_PHASES, type Erasure, type ErasurePhase } from "../../core/erasure/contract.ts";
import { type ErasureRow, TAKEN_MS, beginErasure } from "../../core/erasure/store.ts";
import { upsertLedger } from "../../core/invocations/store.ts";
import { tenantScope } from "../../core/db/scope.ts";
import { objectName, type Release } from "../../core/deployments/release.ts";
import { openJws, verifyJws } from "../../core/tokens/jws.ts";
import type { LedgerEntry } from "../../durable-objects/agent-runtime/contract.ts";
import { gateName } from "../../durable-objects/tenant-gate/contract.ts";
import { runtimeOf } from "../../workers/api/runtime.ts";
import { EVERY_MINUTE } from "../../workers/jobs/cron.ts";
import { carryErasures } from "../../workers/jobs/erasures.ts";
import { lifeJob } from "../../workers/jobs/life.ts";
import { sweep } from "../../workers/jobs/sweep.ts";
import { addProvider, liveAgent } from "../fixtures/agent-runs.ts";
import { erasedBy, setStatus } from "../fixtures/moving.ts";
import {
  type TestTenant,
  askPlatform,
  deliver,
  newKey,
  newWorld,
  request,
  shapeOf,
} from "../fixtures/world.ts";

const CANARY = "canary-7f3a91";

let acme: TestTenant;
let globex: TestTenant;

beforeEach(async () => {
  ({ acme, globex } = await newWorld());
});

afterEach(() => {
  vi.useRealTimers();
});

/** By the operator, to its end; the erasure's id. */
async function erased(tenant: TestTenant): Promise<string> {
  const json = { confirm: tenant.slug };
  const answer = await askPlatform(`/v1/tenants/${tenant.id}/erase`, { json });
  expect(answer.status).toBe(202);
  return erasedBy(answer);
}

/** Begun by somebody who died at once. */
function beganOnly({ id: tenantId, slug: confirm }: TestTenant): Promise<ErasureRow> {
  const nowMs = Date.now();
  const wanted = { tenantId, confirm, requestedBy: "platform", dueAtMs: nowMs };
  return beginErasure(lifeJob(env).platform, wanted, nowMs);
}

/** Whatever cron finds to do, until it finds nothing. */
async function carried(): Promise<void> {
  for (let later = 1; (await carryErasures(atTime(later), 100)) > 0; later += 1);
}

const atTime = (minutes: number) => ({
  ...lifeJob(env),
  now: () => Date.now() + minutes * (TAKEN_MS + 1000),
});

const statusOf = async (id: string): Promise<Erasure> =>
  (await askPlatform(`/v1/erasures/${id}`, { as: null })).json();

/** Every row of the control plane, as text. */
async function everything(): Promise<string> {
  const tables = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
  ).all<{ name: string }>();
  const texts = tables.results.map(async ({ name }) =>
    JSON.stringify([name, (await env.DB.prepare(`SELECT * FROM "${name}"`).all()).results]),
  );
  return (await Promise.all(texts)).join("\n");
}

/** Every row of an object's database, as text. */
const storageOf = (stub: DurableObjectStub) =>
  runInDurableObject(stub, (_object, { storage }) =>
    storage.sql
      .exec<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'")
      .toArray()
      .filter(({ name }) => !name.startsWith("_cf_"))
      .map(({ name }) => JSON.stringify(storage.sql.exec(`SELECT * FROM "${name}"`).toArray()))
      .join("\n"),
  );

describe("F16: a tenant ends", { timeout: 60_000 }, () => {
  it("F16: leaves nothing in any store but its certificate", async () => {
    await addProvider(acme);
    const agent = await liveAgent(acme, "support", { instructions: CANARY });
    await agent.ask(`${CANARY} 👋`);
    await acme.json("/v1/secrets", 201, { json: { name: "token", value: CANARY } });
    await newKey(acme);
    const theirs = await liveAgent(globex, "theirs", { model: "local/extract" });
    const stub = env.AGENT_RUNTIME.getByName(objectName(acme.id, agent.id, "prod", 0));
    const gate = env.TENANT_GATE.getByName(gateName(acme.id));
    expect(await everything()).toContain(CANARY);
    expect(await storageOf(stub)).toContain(CANARY);

    const ended = await statusOf(await erased(acme));
    expect(ended).toMatchObject({ status: "erased", phase: "certify" });
    const left = await everything();
    for (const text of [CANARY, "admin@acme", agent.id, acme.keyId]) {
      expect([text, left.includes(text)]).toEqual([text, false]);
    }
    // Its id stands in the record of its end alone.
    const naming = left.split("\n").filter((table) => table.includes(acme.id));
    expect(naming.map((table) => table.slice(2, 9))).toEqual(["erasure"]);
    expect(await storageOf(stub)).not.toContain(acme.id);
    expect(await storageOf(gate)).not.toContain(acme.id);
    // Beside it nobody noticed.
    expect((await theirs.ask("Hello?")).status).toBe("succeeded");
  });

  it("F16: answers as a host that never was, at once", async () => {
    const { id } = acme;
    await beganOnly(acme);
    const gone = await shapeOf(await acme.ask("/v1/agents"));
    const never = await shapeOf(await request("http://nobody.localhost", "/v1/agents", {}));
    expect(gone).toEqual(never);
    await carried();
    expect((await askPlatform(`/v1/tenants/${id}`)).status).toBe(404);
  });

  it("F16: is certified under a key of the platform's set, with what there was", async () => {
    await addProvider(acme);
    await liveAgent(acme, "support");
    const erasure = await erased(acme);
    const { certificate } = await statusOf(erasure);
    const jws = openJws(certificate ?? "");
    expect(jws?.typ).toBe("berth-erasure+jwt");
    const { keys } = await (
      await askPlatform("/.well-known/jwks.json", { as: null })
    ).json<{ keys: { kty: string }[] }>();
    const payload = jws && (await verifyJws(jws, jws.alg, keys));
    const claims = JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown>;
    expect(claims).toMatchObject({
      iss: `http://${env.BASE_DOMAIN}`,
      sub: acme.id,
      jti: erasure,
      slug: "acme",
      stores: {
        agent_objects: { objects: 1 },
        control_plane: { rows: { tenant: 1, agent: 1, provider: 1, key: 1 } },
      },
      windows: { control_plane_backups_days: 30 },
    });
    expect(claims["destroyed_keys"]).toEqual([expect.stringMatching(/^[\w-]{43}$/)]);
  });

  it("F16: goes on after a crash behind any phase, and ends the same", async () => {
    for (const phase of ERASURE_PHASES) {
      ({ acme, globex } = await newWorld());
      await liveAgent(acme, "support", { model: "local/extract" });
      const row = await beganOnly(acme);
      let struck = false;
      const passed = (at: ErasurePhase) => {
        if (struck || at !== phase) return;
        struck = true;
        throw new Error(`died behind ${at}`);
      };
      await carryErasures({ ...lifeJob(env), passed }, 1);
      expect([phase, struck]).toEqual([phase, true]);
      expect([phase, await carryErasures(lifeJob(env), 1)]).toEqual([phase, 0]); // taken
      await carried();
      const ended = await statusOf(row.id);
      expect([phase, ended.status]).toEqual([phase, "erased"]);
      expect(ended.counts).toMatchObject({ objects: 1, rows: { agent: 1 } });
      expect((await everything()).includes("admin@acme")).toBe(false);
    }
  });

  it("F16: sweeps what was written behind it, before it is certified", async () => {
    const agent = await liveAgent(acme, "support", { model: "local/extract" });
    await agent.ask("What do I owe?");
    const row = await beganOnly(acme);
    const page = await runtimeOf(env, agent.owner).ledger(agent.owner, 10);
    const entry = JSON.parse(page.ok ? page.page : "[]") as LedgerEntry[]; // our own object's
    expect(entry).toHaveLength(1);
    const { platform } = lifeJob(env);
    let written: Promise<void> | undefined;
    const passed = (at: ErasurePhase) => {
      if (at === "rows") written ??= upsertLedger(tenantScope(platform, acme.id), entry);
    };
    await carryErasures({ ...lifeJob(env), passed }, 1);
    await written;
    await carried();
    expect((await statusOf(row.id)).status).toBe("erased");
    const { results } = await env.DB.prepare("SELECT * FROM invocation WHERE tenant_id = ?")
      .bind(acme.id)
      .all();
    expect(results).toEqual([]);
  });

  it("F16: no late message or call makes anything of it again", async () => {
    const agent = await liveAgent(acme, "support", { model: "local/extract" });
    const stub = env.AGENT_RUNTIME.getByName(objectName(acme.id, agent.id, "prod", 0));
    const release = await runInDurableObject(stub, (_object, { storage }) => {
      const [row] = storage.sql.exec<{ body: string }>("SELECT body FROM release").toArray();
      return JSON.parse(row?.body ?? "") as Release; // as the object keeps it
    });
    await erased(acme);
    await deliver("berth-ledger", [agent.owner]);
    await deliver("berth-deployments", [
      { outboxId: "evt_x", tenantId: acme.id, deploymentId: "dep_x" },
    ]);
    const installed = await env.AGENT_RUNTIME.getByName(
      objectName(acme.id, agent.id, "prod", 0),
    ).install(release);
    expect(installed).toMatchObject({ ok: false });
    await sweep({ cron: EVERY_MINUTE }, env);
    const naming = (await everything()).split("\n").filter((table) => table.includes(acme.id));
    expect(naming.map((table) => table.slice(2, 9))).toEqual(["erasure"]);
    expect(await storageOf(stub)).not.toContain(agent.id);
  });

  it("F16: its objects' tombstones last for 30 days, and then nothing does", async () => {
    const agent = await liveAgent(acme, "support", { model: "local/extract" });
    const stub = env.AGENT_RUNTIME.getByName(objectName(acme.id, agent.id, "prod", 0));
    await erased(acme);
    const marks = () =>
      runInDurableObject(stub, (_object, { storage }) =>
        storage.sql.exec("SELECT key FROM meta").toArray(),
      );
    await runInDurableObject(stub, (object) => object.alarm());
    expect(await marks()).toContainEqual({ key: "erased" });
    vi.useFakeTimers({ now: Date.now() + 31 * 86_400_000, toFake: ["Date"] });
    await runInDurableObject(stub, (object) => object.alarm());
    vi.useRealTimers();
    await expect(marks()).rejects.toThrow(/no such table/);
  });

  it("F16: its slug is nobody else's for 90 days", async () => {
    await erased(acme);
    const admin = { email: "eve@evil.example", name: "Eve" };
    const json = { slug: "acme", name: "Acme", admin };
    expect((await askPlatform("/v1/tenants", { json })).status).toBe(409);
  });

  it("F16: needs the slug written out, and the scope", async () => {
    const wrong = await askPlatform(`/v1/tenants/${acme.id}/erase`, {
      json: { confirm: "globex" },
    });
    expect([wrong.status, await wrong.json()]).toMatchObject([
      422,
      { errors: [{ pointer: "/confirm" }] },
    ]);
    const as = await newKey(acme, { scopes: ["tenant:read", "tenant:write"] });
    const json = { confirm: "acme" };
    expect((await acme.ask("/v1/tenant/erase", { as, json })).status).toBe(403);
    const narrowed = await newKey(acme, { environment: "prod" });
    expect((await acme.ask("/v1/tenant/erase", { as: narrowed, json })).status).toBe(403);
    expect((await acme.ask("/v1/agents")).status).toBe(200);
  });

  it("F16: by its own administrator, suspended or not, who follows it at the platform", async () => {
    await setStatus(acme, "suspend");
    const json = { confirm: "acme" };
    const begun = await acme.ask("/v1/tenant/erase", { json });
    const at = new URL(begun.headers.get("location") ?? "");
    await erasedBy(begun);
    const seen = await request(`http://${at.host}`, at.pathname, { as: null });
    expect(await seen.json()).toMatchObject({ status: "erased", tenant_id: acme.id });
  });
});

describe("a deleted agent", { timeout: 60_000 }, () => {
  it("F16: takes its object along; what it cost stays in the listing", async () => {
    const agent = await liveAgent(acme, "support", { model: "local/extract" });
    const { id } = await agent.ask(CANARY);
    const stub = agent.stub();
    const { revision } = await acme.json<{ revision: number }>("/v1/agents/support", 200);
    const headers = { "if-match": `"${revision}"` };
    await acme.json("/v1/agents/support", 204, { method: "DELETE", headers });
    await sweep({ cron: EVERY_MINUTE }, env);
    expect(await storageOf(stub)).not.toContain(CANARY);
    const { data } = await acme.json<{ data: { id: string }[] }>("/v1/invocations", 200);
    expect(data.map((row) => row.id)).toEqual([id]);
  });
});
