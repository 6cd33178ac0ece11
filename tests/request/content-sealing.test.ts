/** Content that a tenant wants sealed: in clear nowhere, and readable to nobody once its keys are gone. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { GRACE_MS } from "../../core/data-keys/store-rotate.ts";
import { tenantScope } from "../../core/db/scope.ts";
import { destroyDataKeys } from "../../core/data-keys/store-destroy.ts";
import { runtimeOf } from "../../workers/api/runtime.ts";
import { servicesOf } from "../../workers/edge/services.ts";
import { resealSome } from "../../workers/jobs/reseal.ts";
import { FAR_SIDE, type TestAgent, addProvider, liveAgent } from "../fixtures/agent-runs.ts";
import { httpAgent } from "../fixtures/http-agents.ts";
import { exportOf, importFile, setStatus } from "../fixtures/moving.ts";
import { type TestTenant, deliver, newWorld } from "../fixtures/world.ts";
import { applyD1Migrations, reset } from "cloudflare:test";

const WORDS = "a-word-that-must-not-lie-about";
const PASSPHRASE = "correct horse battery staple";

let acme: TestTenant;
let globex: TestTenant;

beforeEach(async () => {
  ({ acme, globex } = await newWorld());
  await addProvider(acme);
});

async function seal(sealing: boolean, tenant = acme): Promise<void> {
  const { revision } = await tenant.json<{ revision: number }>("/v1/tenant/content", 200);
  const headers = { "if-match": `"${revision}"` };
  const json = { sealing };
  await tenant.json("/v1/tenant/content", 200, { method: "PATCH", headers, json });
}

/** The object's tables, all of them, as they lie there. */
const lying = (agent: TestAgent) =>
  runInDurableObject(agent.stub(), (_, { storage }) => {
    const tables = storage.sql
      .exec<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'")
      .toArray()
      .filter(({ name }) => !/^(?:_cf_|sqlite_)/.test(name));
    return JSON.stringify(
      tables.map(({ name }) => storage.sql.exec(`SELECT * FROM "${name}"`).toArray()),
    );
  });

/** The control plane's rows, all of them. */
async function listed(): Promise<string> {
  const tables = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
  ).all<{ name: string }>();
  const rows = tables.results.map(({ name }) => env.DB.prepare(`SELECT * FROM "${name}"`).all());
  return JSON.stringify((await Promise.all(rows)).map(({ results }) => results));
}

const TOOL = {
  kind: "http",
  name: "far",
  description: "The far side.",
  url: `${FAR_SIDE}/echo`,
  method: "POST",
};

describe("F104: content that is sealed", () => {
  it("is what it was to who may read it, and nowhere on disk in clear", async () => {
    await seal(true);
    const agent = await liveAgent(acme, "support", { model: "openai/tool-call", tools: [TOOL] });
    const long = `${WORDS} ${"ß".repeat(350_000)}`;
    const body = { metadata: { note: WORDS }, session_id: "order-1" };
    const first = await agent.ask(`${WORDS} 👋`, { body, key: "k-1" });
    const second = await agent.ask(long, { body });
    expect([first.status, second.status]).toEqual(["succeeded", "succeeded"]);
    const told = await agent.stream(`[[fail-500]] ${WORDS}`, { body });
    expect(JSON.stringify(told)).toContain(WORDS);
    await deliver("berth-ledger", [agent.owner]);
    const disk = await lying(agent);
    expect(disk).not.toContain(WORDS);
    expect(disk).not.toContain(btoa(WORDS).slice(0, 30));
    expect(disk).not.toContain("ßßßß");
    expect(await listed()).not.toContain(WORDS);
    await evictDurableObject(agent.stub());
    expect(await agent.get(first.id)).toEqual(first);
    expect(first).toMatchObject({ input: `${WORDS} 👋`, metadata: { note: WORDS } });
    expect((await agent.get(second.id)).input).toBe(long);
    expect((await agent.steps(first.id)).map(({ state }) => state)).toContain("done");
    expect(JSON.stringify(await agent.events(first.id))).toContain("message.completed");
    const again = await agent.send(`${WORDS} 👋`, { body, key: "k-1" });
    expect(await again.json()).toMatchObject({ id: first.id });
  });

  it("is what a run is executed again over, and what it is carried on from", async () => {
    await seal(true);
    const agent = await liveAgent(acme, "support", { model: "openai/tool-call", tools: [TOOL] });
    const { id } = await agent.ask(WORDS);
    await evictDurableObject(agent.stub());
    const replayed = await acme.json(`/v1/invocations/${id}/replay`, 200, { method: "POST" });
    expect(replayed).toMatchObject({ verdict: "equal" });
    expect(JSON.stringify(await acme.json(`/v1/invocations/${id}/receipt`, 200))).toContain(id);
    expect(await lying(agent)).not.toContain(WORDS);
  });

  it("is what went through an endpoint's agent too, both ways, and why it failed", async () => {
    await seal(true);
    const agent = await httpAgent(acme, "fronted");
    const proxied = await agent.proxy("/echo", { method: "PUT", raw: WORDS });
    expect(await proxied.text()).toContain(WORDS);
    const refusing = await httpAgent(acme, "refusing", {
      upstream: { invoke_path: "/status-404" },
    });
    const failed = await refusing.ask(WORDS);
    expect(failed).toMatchObject({ status: "failed", error: { code: "upstream_failed" } });
    await deliver("berth-ledger", [agent.owner, refusing.owner]);
    for (const one of [agent, refusing]) expect(await lying(one)).not.toContain(WORDS);
    expect(await listed()).not.toContain(WORDS);
  });

  it("is written as it is asked for: what was in clear stays, what was sealed still opens", async () => {
    const agent = await liveAgent(acme, "support", { model: "local/extract" });
    const clear = await agent.ask("before it was asked for");
    await seal(true);
    const sealed = await agent.ask(WORDS);
    expect(await lying(agent)).not.toContain(WORDS);
    await seal(false);
    const after = await agent.ask("after it was asked for");
    expect(await lying(agent)).toContain("after it was asked for");
    for (const made of [clear, sealed, after]) expect(await agent.get(made.id)).toEqual(made);
  });

  it("opens in its own place alone: a value that was moved or changed is none", async () => {
    await seal(true);
    const agent = await liveAgent(acme, "support", { model: "local/extract" });
    const other = await liveAgent(acme, "second", { model: "local/extract" });
    const { id } = await agent.ask(WORDS);
    const theirs = await other.ask("another's");
    const [row] = await agent.rows<{ input: string }>(
      "SELECT input FROM invocation WHERE id = ?",
      id,
    );
    const input = row?.input ?? "";
    const flipped = input.slice(0, -6) + (input.at(-6) === "A" ? "B" : "A") + input.slice(-5);
    const renamed = input.replace(`${id}/input`, `${id}/output`);
    const put = "UPDATE invocation SET input = ? WHERE id = ?";
    for (const [to, of, wrong] of [
      [agent, id, flipped],
      [agent, id, renamed],
      [other, theirs.id, input],
    ] as const) {
      await to.rows(put, wrong, of);
      const answer = await acme.ask(`/v1/invocations/${of}`);
      const text = await answer.text();
      expect(answer.status).toBe(500);
      expect(text).not.toContain(WORDS);
    }
  });

  it("outlives a rotation of the data key, which seals its key anew", async () => {
    await seal(true);
    const agent = await liveAgent(acme, "support", { model: "local/extract" });
    const made = await agent.ask(WORDS);
    await acme.json("/v1/secrets/rotate-data-key", 200, { method: "POST" });
    const { platform, config } = servicesOf(env);
    await resealSome(platform, config, Date.now());
    await resealSome(platform, config, Date.now() + GRACE_MS + 1);
    const query = env.DB.prepare("SELECT state FROM data_key WHERE tenant_id = ? ORDER BY state");
    const { results } = await query.bind(acme.id).all();
    expect(results).toEqual([{ state: "active" }, { state: "destroyed" }]);
    const later = await agent.ask(`${WORDS} again`);
    await evictDurableObject(agent.stub());
    for (const it of [made, later]) expect(await agent.get(it.id)).toEqual(it);
  });

  it("moves with the passphrase, and without it is erased content", async () => {
    await seal(true);
    const agent = await liveAgent(acme, "support", { model: "local/extract" });
    const made = await agent.ask(WORDS);
    await setStatus(acme, "suspend");
    const bare = await exportOf(acme);
    const whole = await exportOf(acme, { json: { passphrase: PASSPHRASE } });
    expect(bare + whole).not.toContain(WORDS);
    const arrive = async (text: string) => {
      await reset();
      await applyD1Migrations(env.DB, env.TEST_MIGRATIONS);
      expect((await importFile(text)).status).toBe(201);
      await setStatus(acme, "reactivate");
    };
    await arrive(`${JSON.stringify({ passphrase: PASSPHRASE })}\n${whole}`);
    expect(await agent.get(made.id)).toEqual(made);
    await arrive(bare);
    const answer = await acme.ask(`/v1/invocations/${made.id}`);
    expect([answer.status, await answer.json()]).toMatchObject([410, { code: "content_erased" }]);
    const early = await agent.send("not in clear");
    expect([early.status, await early.json()]).toMatchObject([409, { code: "conflict" }]);
    await seal(true); // with a key of this platform's
    const next = await agent.ask(`${WORDS} anew`);
    expect(next.status).toBe("succeeded");
    expect(await lying(agent)).not.toContain(WORDS);
  });

  it("F104: is beyond reading once the tenant's keys are destroyed", async () => {
    await seal(true);
    const agent = await liveAgent(acme, "support", { model: "local/extract" });
    const { id } = await agent.ask(WORDS);
    const scope = tenantScope(servicesOf(env).platform, acme.id);
    await destroyDataKeys(scope, Date.now());
    await agent.rows("DELETE FROM release");
    await evictDurableObject(agent.stub());
    const answer = await runtimeOf(env, agent.owner).get(agent.owner, id);
    expect(answer).toMatchObject({ ok: false, problem: { code: "content_erased" } });
    expect(await lying(agent)).not.toContain(WORDS);
  });

  it("costs a tenant that has not asked for it nothing: no key is made, no row is another", async () => {
    const json = { slug: "plain", kind: "openai", base_url: "https://p.example/v1" };
    await globex.json("/v1/providers", 201, { json });
    const agent = await liveAgent(globex, "support", { model: "local/extract" });
    await agent.ask("in clear");
    const [row] = await agent.rows<{ input: string }>("SELECT input FROM invocation");
    expect(row).toEqual({ input: '="in clear"' });
    const keys = env.DB.prepare("SELECT count(*) AS n FROM data_key WHERE tenant_id = ?");
    expect(await keys.bind(globex.id).first()).toEqual({ n: 0 });
  });
});
