import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { FAR_SIDE, MODEL_SERVER, liveAgent, redeploy, seenBy } from "../fixtures/agent-runs.ts";
import { type TestTenant, newKey, newWorld } from "../fixtures/world.ts";

type Secret = {
  readonly id: string;
  readonly version: number;
  readonly revision: number;
  readonly last_used_at: string | null;
  readonly last_used_by: string | null;
};

let acme: TestTenant;
let globex: TestTenant;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
  const json = {
    slug: "openai",
    kind: "openai",
    base_url: `${MODEL_SERVER}/v1`,
    api_key: "sk-1234567",
  };
  await acme.json("/v1/providers", 201, { json });
});

const create = (name: string, value: string) =>
  acme.json<Secret>("/v1/secrets", 201, { json: { name, value } });
const rotate = (id: string, json: object) =>
  acme.json<Secret>(`/v1/secrets/${id}/rotate`, 200, { json });
const verify = (id: string, value: string) =>
  acme.json(`/v1/secrets/${id}/verify`, 200, { json: { value } });

/** A tool that sends a secret to the far side; the stub model calls it by `[[tool-call]]`. */
const sending = (name: string, path: string) => ({
  kind: "http",
  name: "far",
  description: "The far side.",
  url: `${FAR_SIDE}/${path}`,
  headers: { Authorization: { secret: name, prefix: "Bearer " } },
});

describe("named secrets", () => {
  it("F191: take a value and never give it back, not even to the database", async () => {
    const value = "s3cret-value-of-acme";
    const made = await acme.ask("/v1/secrets", { json: { name: "ONCE", value } });
    expect([made.status, made.headers.get("etag")]).toEqual([201, '"1"']);
    const body = await made.text();
    const { id } = JSON.parse(body) as Secret;
    const seen = [
      body,
      await (await acme.ask(`/v1/secrets/${id}`)).text(),
      await (await acme.ask("/v1/secrets")).text(),
      await (await acme.ask(`/v1/secrets/${id}/versions`)).text(),
    ];
    for (const text of seen) expect(text).not.toContain(value);
    const rows = await env.DB.prepare("SELECT * FROM secret_version").all();
    expect(JSON.stringify(rows.results)).not.toContain(value);
    expect(rows.results.map(({ sealed }) => String(sealed).slice(0, 7))).toContain("v2.dky_");
  });

  it("have a name of their own, which may be taken once", async () => {
    await create("TAKEN", "first-value");
    const again = { json: { name: "TAKEN", value: "other-value" } };
    expect(await acme.json("/v1/secrets", 409, again)).toMatchObject({ code: "already_exists" });
    expect((await globex.ask("/v1/secrets", again)).status).toBe(201);
    for (const name of ["", "1A", "A B", "A|B", "a".repeat(65), "ü"]) {
      const refused = await acme.json("/v1/secrets", 422, { json: { name, value: "long-enough" } });
      expect(refused).toMatchObject({ errors: [{ pointer: "/name" }] });
    }
    const short = await acme.json("/v1/secrets", 422, { json: { name: "SHORT", value: "short" } });
    expect(short).toMatchObject({ errors: [{ pointer: "/value" }] });
    expect(JSON.stringify(short)).not.toContain('"short"');
  });

  it("are described at their revision, and belong to the whole tenant", async () => {
    const { id } = await create("DESCRIBED", "some-value");
    const patch = (tag: string, as = acme.key) =>
      acme.ask(`/v1/secrets/${id}`, {
        method: "PATCH",
        headers: { "if-match": tag },
        json: { description: "For the shop." },
        as,
      });
    expect(await (await patch('"1"')).json()).toMatchObject({
      description: "For the shop.",
      revision: 2,
    });
    expect((await patch('"1"')).status).toBe(412);
    const narrowed = await newKey(acme, { environment: "dev" });
    expect((await patch('"2"', narrowed)).status).toBe(403);
  });

  it("F190: rotate with an overlap, in which both values verify and the newer one is sent", async () => {
    const { id } = await create("ROTATED", "value-of-old");
    const agent = await liveAgent(acme, "rotating", { tools: [sending("ROTATED", "rotated")] });
    expect(await agent.ask("[[tool-call]]")).toMatchObject({ status: "succeeded" });
    const rotated = await rotate(id, { value: "value-of-new", overlap_seconds: 3600 });
    expect(rotated).toMatchObject({ version: 2, rotation_due: false });
    expect(await agent.ask("[[tool-call]]")).toMatchObject({ status: "succeeded" });
    expect(await authorizations("rotated")).toEqual(["Bearer value-of-old", "Bearer value-of-new"]);
    expect(await verify(id, "value-of-old")).toMatchObject({ valid: true, version: 1 });
    expect(await verify(id, "value-of-new")).toEqual({ valid: true, version: 2, ends_at: null });
    expect(await verify(id, "value-of-none")).toEqual({
      valid: false,
      version: null,
      ends_at: null,
    });
    await rotate(id, { value: "value-of-last" });
    expect(await verify(id, "value-of-old")).toMatchObject({ valid: true });
    expect(await verify(id, "value-of-new")).toMatchObject({ valid: false });
    const { data } = await acme.json<{ data: object[] }>(`/v1/secrets/${id}/versions`, 200);
    expect(data).toMatchObject([
      { version: 3, state: "current", ends_at: null },
      { version: 2, state: "ended" },
      { version: 1, state: "overlap" },
    ]);
    const trail = await env.DB.prepare("SELECT action, detail FROM audit WHERE resource_id = ?")
      .bind(id)
      .all();
    expect(trail.results.map(({ action }) => action)).toEqual(
      expect.arrayContaining(["secret.created", "secret.rotated", "secret.verified"]),
    );
    expect(JSON.stringify(trail.results)).not.toContain("value-of");
  });

  it("F190: a replayed rotation is the same one", async () => {
    const { id } = await create("REPLAYED", "value-of-once");
    const headers = { "idempotency-key": "rotate-once" };
    const json = { value: "value-of-twice" };
    const path = `/v1/secrets/${id}/rotate`;
    const first = await acme.json(path, 200, { json, headers });
    expect(await acme.json(path, 200, { json, headers })).toEqual(first);
    const kept = await env.DB.prepare("SELECT * FROM idempotency").all();
    expect(JSON.stringify(kept.results)).not.toContain("value-of-twice");
  });

  it("that are not there are refused at publish, each at its place", async () => {
    const spec = { kind: "llm", tools: [sending("NOWHERE", "x")] };
    const json = { slug: "wanting", name: "Wanting", spec };
    const { id } = await acme.json<{ id: string }>("/v1/agents", 201, { json });
    const refused = await acme.json(`/v1/agents/${id}/publish`, 422, { method: "POST" });
    expect(refused).toMatchObject({
      code: "spec_invalid",
      errors: [{ pointer: "/tools/0/headers/Authorization/secret", detail: "no such secret" }],
    });
    await globex.json("/v1/secrets", 201, { json: { name: "NOWHERE", value: "of-another" } });
    expect((await acme.ask(`/v1/agents/${id}/publish`, { method: "POST" })).status).toBe(422);
    await create("NOWHERE", "of-this-tenant");
    expect((await acme.ask(`/v1/agents/${id}/publish`, { method: "POST" })).status).toBe(201);
  });

  it("written into a header are refused at publish", async () => {
    const tool = { ...sending("X", "x"), headers: { Authorization: "Bearer plain-in-spec" } };
    const json = { slug: "plain", name: "Plain", spec: { kind: "llm", tools: [tool] } };
    const { id } = await acme.json<{ id: string }>("/v1/agents", 201, { json });
    const refused = await acme.json(`/v1/agents/${id}/publish`, 422, { method: "POST" });
    expect(refused).toMatchObject({ errors: [{ pointer: "/tools/0/headers/Authorization" }] });
  });

  it("are not deleted while something live or a provider names them", async () => {
    const { id } = await create("HELD", "value-of-held");
    const remove = (tag = '"1"') =>
      acme.ask(`/v1/secrets/${id}`, { method: "DELETE", headers: { "if-match": tag } });
    const agent = await liveAgent(acme, "holder", { tools: [sending("HELD", "held")] });
    const refused = await remove();
    expect([refused.status, await refused.json()]).toMatchObject([
      409,
      { errors: [{ pointer: "/agents/holder", detail: expect.stringContaining("prod") }] },
    ]);
    await redeploy(acme, agent, {});
    expect((await remove('"2"')).status).toBe(412);
    expect((await remove()).status).toBe(204);
    expect((await remove()).status).toBe(404);
    const left = await env.DB.prepare("SELECT * FROM secret_version WHERE secret_id = ?")
      .bind(id)
      .all();
    expect(left.results).toEqual([]);
    const json = { version: 1, environment: "prod" };
    const path = `/v1/agents/${agent.id}/deployments`;
    expect((await acme.ask(path, { json })).status).toBe(202);
  });

  it("F80: are a provider's key, whose rotation is then the key's", async () => {
    const { id } = await create("MODEL_KEY", "sk-named-first");
    const json = {
      slug: "named",
      kind: "openai",
      base_url: `${MODEL_SERVER}/v1`,
      api_key_secret: "MODEL_KEY",
    };
    const made = await acme.json<{ id: string }>("/v1/providers", 201, { json });
    expect(made).toMatchObject({ has_key: true, api_key_secret: "MODEL_KEY" });
    const agent = await liveAgent(acme, "named", { model: "named/echo" });
    await agent.ask("One");
    await rotate(id, { value: "sk-named-second" });
    await agent.ask("Two");
    const seen = await seenBy(MODEL_SERVER, {});
    const keys = seen.map(({ headers }) => headers["authorization"]);
    expect(keys).toEqual(
      expect.arrayContaining(["Bearer sk-named-first", "Bearer sk-named-second"]),
    );
    const remove = { method: "DELETE", headers: { "if-match": '"2"' } };
    expect((await acme.ask(`/v1/secrets/${id}`, remove)).status).toBe(409);
    const both = { ...json, slug: "both", api_key: "sk-own" };
    expect((await acme.ask("/v1/providers", { json: both })).status).toBe(422);
    const none = { ...json, slug: "none", api_key_secret: "NO_SUCH" };
    expect(await acme.json("/v1/providers", 422, { json: none })).toMatchObject({
      errors: [{ pointer: "/api_key_secret" }],
    });
  });

  it("F195: leave over https alone, to the address they were meant for", async () => {
    await create("TRAVELS", "value-of-travels");
    const spec = (url: string) => ({ kind: "llm", tools: [{ ...sending("TRAVELS", ""), url }] });
    const json = { slug: "travels", name: "Travels", spec: spec("http://crm.example/") };
    const { id } = await acme.json<{ id: string }>("/v1/agents", 201, { json });
    const refused = await acme.json(`/v1/agents/${id}/publish`, 422, { method: "POST" });
    expect(refused).toMatchObject({ errors: [{ pointer: "/tools/0/url" }] });
    const plain = { slug: "plain", kind: "openai", base_url: "http://models.example/v1" };
    const provider = { ...plain, api_key_secret: "TRAVELS" };
    expect(await acme.json("/v1/providers", 422, { json: provider })).toMatchObject({
      errors: [{ pointer: "/base_url" }],
    });
    const agent = await liveAgent(acme, "redirected", { tools: [sending("TRAVELS", "redirect")] });
    const { output } = await agent.ask("[[tool-call]]");
    expect(output?.text).toContain("redirect");
    // Others are sent astray too, with nothing to show.
    const shown = (await authorizations("redirect")).filter((it) => it !== undefined);
    expect(shown).toEqual(["Bearer value-of-travels"]);
  });

  it("F190: tell when they were used, and by which agent", async () => {
    const { id } = await create("USED", "value-of-used");
    const read = () => acme.json<Secret>(`/v1/secrets/${id}`, 200);
    expect(await read()).toMatchObject({ last_used_at: null, last_used_by: null });
    const agent = await liveAgent(acme, "user", { tools: [sending("USED", "used")] });
    await agent.ask("[[tool-call]]");
    await vi.waitUntil(async () => (await read()).last_used_by === agent.id);
  });

  it("F209: say that they are due after 90 days", async () => {
    const { id } = await create("AGED", "value-of-aged");
    expect(await acme.json(`/v1/secrets/${id}`, 200)).toMatchObject({ rotation_due: false });
    await env.DB.prepare("UPDATE secret SET rotated_at_ms = rotated_at_ms - ? WHERE id = ?")
      .bind(90 * 86_400_000, id)
      .run();
    expect(await acme.json(`/v1/secrets/${id}`, 200)).toMatchObject({ rotation_due: true });
    expect(await rotate(id, { value: "value-of-young" })).toMatchObject({ rotation_due: false });
  });
});

/** What the far side was given, in order. */
async function authorizations(path: string): Promise<readonly (string | undefined)[]> {
  const seen = await seenBy(FAR_SIDE, { label: path });
  return seen.map(({ headers }) => headers["authorization"]);
}
