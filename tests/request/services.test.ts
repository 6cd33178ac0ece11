/**
 * Our own parts as each other meets them (F192): Workers, objects, queues and cron are one bundle
 * that only bindings join. There is no way in from outside but the router, and what is behind it
 * asks whose it is all the same.
 */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, it } from "vitest";
import { newId } from "../../core/ids.ts";
import { AgentRuntime } from "../../durable-objects/agent-runtime/object.ts";
import { TenantGate } from "../../durable-objects/tenant-gate/object.ts";
import * as worker from "../../workers/main.ts";
import { type TestAgent, liveAgent } from "../fixtures/agent-runs.ts";
import { type TestTenant, deliver, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;
let agent: TestAgent;
let known: string;

beforeAll(async () => {
  ({ acme, globex } = await newWorld());
  agent = await liveAgent(acme, "support", { model: "local/extract" });
  ({ id: known } = await agent.ask("What is ours?"));
});

/** What the runtime calls, and nobody else can. */
const LIFECYCLE = /^(?:constructor|fetch|alarm|webSocket\w+)$/;

const callable = (of: { readonly prototype: object }) =>
  Object.getOwnPropertyNames(of.prototype).filter((name) => !LIFECYCLE.test(name));

type Methods = Readonly<Record<string, (...given: readonly unknown[]) => Promise<unknown>>>;

/** Every row of the object, to the byte. */
const stored = (stub: DurableObjectStub<AgentRuntime> | DurableObjectStub<TenantGate>) =>
  runInDurableObject(stub, (_, { storage }) => {
    const tables = storage.sql
      .exec<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
      .toArray()
      .filter(({ name }) => !name.startsWith("_cf_") && !name.startsWith("sqlite_"));
    return tables.map(({ name }) => [name, storage.sql.exec(`SELECT * FROM "${name}"`).toArray()]);
  });

it("F192: a Worker has one way in, its router; objects and consumers have none from outside", () => {
  expect(Object.keys(worker).toSorted()).toEqual(["AgentRuntime", "TenantGate", "default"]);
  expect(Object.keys(worker.default).toSorted()).toEqual(["fetch", "queue", "scheduled"]);
});

it("F192, G7: an agent's object answers each of its calls for its own owner alone", async () => {
  const before = await stored(agent.stub());
  for (const tenantId of [globex.id, newId("tenant", Date.now())]) {
    const foreign = { ...agent.owner, tenantId };
    // Whatever form a call's first word has, whose it is stands in one of these places.
    const said = { ...foreign, owner: foreign, generation: 99, principal: "key_x", input: '"x"' };
    for (const name of callable(AgentRuntime)) {
      const stub = agent.stub() as unknown as Methods; // any method, by its name
      const lists: Readonly<Record<string, unknown>> = { handOver: [said], results: [known] };
      const told = await stub[name]?.(said, lists[name] ?? known, known, known);
      const refused = told === false || told === undefined || Object(told).ok === false;
      expect([name, refused, told]).toEqual([name, true, told]);
      expect([name, JSON.stringify(told ?? null).includes("What is ours?")]).toEqual([name, false]);
    }
  }
  expect(await stored(agent.stub())).toEqual(before);
});

it("F192, G7: a tenant's gate answers each of its calls for its own tenant alone", async () => {
  const gate = () => env.TENANT_GATE.getByName(JSON.stringify([acme.id]));
  const stub = gate();
  await stub.settle(acme.id);
  await stub.chain(acme.id);
  const before = await stored(stub);
  for (const name of callable(TenantGate)) {
    const fresh = gate() as unknown as Methods; // any method, by its name
    const told = await fresh[name]?.(globex.id, [], known, known).catch((e: unknown) => e);
    const refused = told instanceof Error || told === false || Object(told).ok === false;
    expect([name, refused, told]).toEqual([name, true, told]);
  }
  expect(await stored(gate())).toEqual(before);
});

it("F192: what only the edge may say is believed of nobody who comes without it", async () => {
  const plain = await agent.stub().fetch("http://object/");
  expect(plain.status).toBe(426);
  await plain.text();
});

it("F192: a message names ids alone, and one that mixes tenants reaches nothing", async () => {
  const rows = async () =>
    (await env.DB.prepare("SELECT count(*) AS n FROM invocation WHERE tenant_id = ?")
      .bind(globex.id)
      .first<{ n: number }>()) ?? { n: -1 };
  const before = await rows();
  const wakeUps = [
    { ...agent.owner, tenantId: globex.id },
    { ...agent.owner, tenantId: "ten_x' OR 1=1" },
    { tenantId: globex.id },
    "LEDGER",
    null,
  ];
  await deliver("berth-ledger", wakeUps);
  await deliver("berth-deployments", [{ ...agent.owner, tenantId: globex.id }, {}, null]);
  expect(await rows()).toEqual(before);
  expect((await agent.get(known)).status).toBe("succeeded");
});
