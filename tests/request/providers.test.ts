import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { type TestTenant, deploy, newKey, newWorld } from "../fixtures/world.ts";

type Provider = { readonly id: string; readonly revision: number };

const SECRET = "sk-test-0123456789abcdef";
const STUB = `http://127.0.0.1:${env.TEST_MODEL_PORT}/v1`;

let acme: TestTenant;
beforeAll(async () => {
  ({ acme } = await newWorld());
});

describe("providers", () => {
  it("take a key and never give it back, not even to the database", async () => {
    const json = { slug: "own", kind: "openai", base_url: STUB, api_key: SECRET };
    const made = await acme.ask("/v1/providers", { json });
    expect([made.status, made.headers.get("etag")]).toEqual([201, '"1"']);
    const body = await made.text();
    expect(body).toContain('"has_key":true');
    const { id } = await acme
      .json<{ data: Provider[] }>("/v1/providers", 200)
      .then(({ data: [first] }) => first ?? { id: "" });
    const seen = [body, await (await acme.ask(`/v1/providers/${id}`)).text()];
    for (const text of seen) expect(text).not.toContain(SECRET);
    const rows = await env.DB.prepare("SELECT * FROM provider").all();
    expect(JSON.stringify(rows.results)).not.toContain(SECRET);
  });

  it("answer the replay of their making without the key as well", async () => {
    const json = { slug: "twice", kind: "openai", base_url: STUB, api_key: SECRET };
    const headers = { "idempotency-key": "make-provider" };
    const first = await acme.json("/v1/providers", 201, { json, headers });
    expect(await acme.json("/v1/providers", 201, { json, headers })).toEqual(first);
    const rows = await env.DB.prepare("SELECT * FROM idempotency").all();
    expect(JSON.stringify(rows.results)).not.toContain(SECRET);
  });

  it("keep a key for the origin it was given for: another one needs it again", async () => {
    const json = { slug: "moving", kind: "openai", base_url: STUB, api_key: SECRET };
    const { id } = await acme.json<Provider>("/v1/providers", 201, { json });
    const patch = (revision: number, change: object) =>
      acme.ask(`/v1/providers/${id}`, {
        method: "PATCH",
        headers: { "if-match": `"${revision}"` },
        json: change,
      });
    const elsewhere = "https://models.example.com/v1";
    const refused = await patch(1, { base_url: elsewhere });
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({ errors: [{ pointer: "/api_key" }] });
    expect((await patch(1, { base_url: `${STUB}/other` })).status).toBe(200);
    expect((await patch(2, { base_url: elsewhere, api_key: "given-again" })).status).toBe(200);
  });

  it("are changed and deleted at their revision", async () => {
    const json = { slug: "changing", kind: "openai", base_url: STUB, api_key: SECRET };
    const { id } = await acme.json<Provider>("/v1/providers", 201, { json });
    const path = `/v1/providers/${id}`;
    const patch = (tag: string) =>
      acme.ask(path, { method: "PATCH", headers: { "if-match": tag }, json: { api_key: null } });
    const patched = await patch('"1"');
    expect(await patched.json()).toMatchObject({ has_key: false, revision: 2 });
    expect((await patch('"1"')).status).toBe(412);
    expect((await acme.ask(path, { method: "DELETE" })).status).toBe(428);
    const headers = { "if-match": '"2"' };
    expect((await acme.ask(path, { method: "DELETE", headers })).status).toBe(204);
    expect((await acme.ask(path)).status).toBe(404);
  });

  it("refuse an address that egress would not reach, and slugs that are taken or ours", async () => {
    for (const [change, pointer] of [
      [{ base_url: "https://169.254.169.254/v1" }, "/base_url"],
      [{ base_url: "http://models.example/v1" }, "/base_url"],
      [{ base_url: "https://user:pw@models.example/v1" }, "/base_url"],
      [{ base_url: "https://acme.localhost/v1" }, "/base_url"],
      [{ base_url: "ftp://models.example" }, "/base_url"],
      [{ slug: "local" }, "/slug"],
      [{ api_key: "two words" }, "/api_key"],
    ] as const) {
      const json = { slug: "odd", kind: "openai", base_url: STUB, ...change };
      const refused = await acme.json("/v1/providers", 422, { json });
      expect(refused).toMatchObject({ errors: [{ pointer }] });
    }
    const taken = { json: { slug: "own", kind: "openai", base_url: STUB } };
    expect((await acme.ask("/v1/providers", taken)).status).toBe(409);
  });

  it("are the whole tenant's: a narrowed key reads them and changes none", async () => {
    const as = await newKey(acme, { environment: "dev" });
    const json = { slug: "narrow", kind: "openai", base_url: STUB };
    expect((await acme.ask("/v1/providers", { as })).status).toBe(200);
    expect((await acme.ask("/v1/providers", { as, json })).status).toBe(403);
  });

  it("are used by a live agent from its next turn on, with the key of now", async () => {
    const json = { slug: "stub", kind: "openai", base_url: STUB, api_key: "sk-first" };
    const { id } = await acme.json<Provider>("/v1/providers", 201, { json });
    const spec = { kind: "llm", model: "stub/echo" };
    const { id: agent } = await acme.json<{ id: string }>("/v1/agents", 201, {
      json: { slug: "stubbed", name: "Stubbed", spec },
    });
    await acme.json("/v1/agents/stubbed/publish", 201, { method: "POST" });
    expect(await deploy(acme, agent)).toMatchObject({ status: "live" });
    const invoke = () => acme.json("/a/stubbed/invoke", 200, { json: { input: "Hello" } });
    expect(await invoke()).toMatchObject({ status: "succeeded" });
    await acme.json(`/v1/providers/${id}`, 200, {
      method: "PATCH",
      headers: { "if-match": '"1"' },
      json: { api_key: "sk-second" },
    });
    expect(await invoke()).toMatchObject({ status: "succeeded" });
    expect(await keysSeen()).toEqual(expect.arrayContaining(["sk-first", "sk-second"]));
  });

  it("of the installation are every tenant's to name, until it brings its own of that name", async () => {
    const spec = { kind: "llm", model: "house/echo" };
    const { id: agent } = await acme.json<{ id: string }>("/v1/agents", 201, {
      json: { slug: "housed", name: "Housed", spec },
    });
    await acme.json("/v1/agents/housed/publish", 201, { method: "POST" });
    expect(await deploy(acme, agent)).toMatchObject({ status: "live" });
    const invoke = () => acme.json("/a/housed/invoke", 200, { json: { input: "Hello" } });
    expect(await invoke()).toMatchObject({ status: "succeeded" });
    expect(await keysSeen()).toContain("sk-house");
    const own = { slug: "house", kind: "openai", base_url: STUB, api_key: "sk-own" };
    await acme.json("/v1/providers", 201, { json: own });
    expect(await invoke()).toMatchObject({ status: "succeeded" });
    expect(await keysSeen()).toContain("sk-own");
  });
});

/** Bearer keys the stub model was called with. */
async function keysSeen(): Promise<readonly string[]> {
  const answer = await fetch(`http://127.0.0.1:${env.TEST_MODEL_PORT}/__requests`);
  return [...(await answer.text()).matchAll(/Bearer (sk-[a-z]+)/g)].map(([, key]) => key ?? "");
}
