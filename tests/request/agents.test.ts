import { beforeAll, describe, expect, it } from "vitest";
import { type TestTenant, newAgent, newKey, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
beforeAll(async () => {
  ({ acme } = await newWorld());
});

const SPEC = { kind: "llm", instructions: "Be brief.", model: "local/extract" };

describe("agents", () => {
  it("F45: are made, got by id or slug, listed, changed and deleted", async () => {
    const json = { slug: "support", name: "Support", spec: SPEC };
    const made = await acme.ask("/v1/agents", { json });
    expect(made.status).toBe(201);
    expect(made.headers.get("etag")).toBe('"1"');
    const agent = await made.json<{ id: string; slug: string }>();
    expect(made.headers.get("location")).toBe(`/v1/agents/${agent.id}`);
    for (const name of [agent.id, "support"]) {
      expect(await acme.json(`/v1/agents/${name}`, 200)).toMatchObject({ id: agent.id });
    }
    expect(await acme.json("/v1/agents", 200)).toMatchObject({ data: [{ id: agent.id }] });
    const patched = await acme.ask("/v1/agents/support", {
      method: "PATCH",
      headers: { "if-match": '"1"' },
      json: { name: "Help" },
    });
    expect(patched.headers.get("etag")).toBe('"2"');
    expect(await patched.json()).toMatchObject({ name: "Help", slug: "support", revision: 2 });
    const gone = { method: "DELETE", headers: { "if-match": '"2"' } };
    expect((await acme.ask("/v1/agents/support", gone)).status).toBe(204);
    expect((await acme.ask("/v1/agents/support")).status).toBe(404);
    expect((await acme.ask(`/v1/agents/${agent.id}`)).status).toBe(404);
  });

  it("are changed by one of two editors: the other learns that it read an older revision", async () => {
    await newAgent(acme, "raced");
    const edit = (name: string, tag?: string) =>
      acme.ask("/v1/agents/raced", {
        method: "PATCH",
        json: { name },
        headers: tag === undefined ? {} : { "if-match": tag },
      });
    expect((await edit("x")).status).toBe(428);
    expect((await edit("x", "1")).status).toBe(400);
    const { revision } = await acme.json<{ revision: number }>("/v1/agents/raced", 200);
    const answers = await Promise.all([edit("one", `"${revision}"`), edit("two", `"${revision}"`)]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 412]);
  });

  it("refuse what does not fit, by its place", async () => {
    for (const [json, pointer] of [
      [{ slug: "Not A Slug", name: "x" }, "/slug"],
      [{ slug: "ok", name: 7 }, "/name"],
      [{ slug: "ok", name: "x", owner: "me" }, "/owner"],
      [{ slug: "ok", name: "x", spec: { ...SPEC, temperature: 1 } }, "/spec/temperature"],
      [{ slug: "ok", name: "x", spec: { kind: "llm", model: 7 } }, "/spec/model"],
    ] as const) {
      const refused = await acme.json("/v1/agents", 422, { json });
      expect(refused).toMatchObject({ code: "invalid", errors: [{ pointer }] });
    }
    expect((await acme.ask("/v1/agents/ok")).status).toBe(404);
    const taken = { json: { slug: "raced", name: "x" } };
    expect(await acme.json("/v1/agents", 409, taken)).toMatchObject({ code: "already_exists" });
  });

  it("seen with a key narrowed to one of them are that one", async () => {
    await newAgent(acme, "seen");
    await newAgent(acme, "unseen");
    const as = await newKey(acme, { agent: "seen" });
    expect(await acme.json("/v1/agents", 200, { as })).toMatchObject({ data: [{ slug: "seen" }] });
    expect((await acme.ask("/v1/agents/seen", { as })).status).toBe(200);
    expect((await acme.ask("/v1/agents/unseen", { as })).status).toBe(404);
    const json = { slug: "third", name: "Third" };
    expect((await acme.ask("/v1/agents", { as, json })).status).toBe(403);
  });

  it("change their address, or go, in every environment: not for a key narrowed to one", async () => {
    await newAgent(acme, "everywhere");
    const as = await newKey(acme, { environment: "dev" });
    const headers = { "if-match": '"1"' };
    const path = "/v1/agents/everywhere";
    const patch = { as, headers, method: "PATCH", json: { slug: "elsewhere" } };
    expect((await acme.ask(path, patch)).status).toBe(403);
    expect((await acme.ask(path, { as, headers, method: "DELETE" })).status).toBe(403);
    expect((await acme.ask(path, { as })).status).toBe(200);
    const deployment = { as, json: { version: 1, environment: "dev" } };
    expect((await acme.ask(`${path}/deployments`, deployment)).status).toBe(202);
  });

  it("are made once for one idempotency key, however often and at once it is sent", async () => {
    const headers = { "idempotency-key": '"make-once"' };
    const make = (slug: string) =>
      acme.ask("/v1/agents", { json: { slug, name: "Once" }, headers });
    const answers = await Promise.all([make("once"), make("once"), make("once")]);
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status !== 201 && status !== 409)).toEqual([]);
    expect(statuses).toContain(201);
    const again = await make("once");
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([201, "true"]);
    expect((await make("other")).status).toBe(422);
  });
});

describe("drafts and versions", () => {
  it("F45: a draft is replaced at its revision and published as an immutable version", async () => {
    await newAgent(acme, "drafted");
    const path = "/v1/agents/drafted";
    const draft = await acme.ask(`${path}/draft`);
    const tag = draft.headers.get("etag") ?? "";
    const json = { ...SPEC, instructions: "Be kind." };
    const put = { method: "PUT", json, headers: { "if-match": tag } };
    const stored = await acme.ask(`${path}/draft`, put);
    expect(stored.status).toBe(200);
    expect((await acme.ask(`${path}/draft`, put)).status).toBe(412);
    const version = await acme.json<{ number: number; spec_hash: string }>(`${path}/publish`, 201, {
      method: "POST",
      headers: { "if-match": stored.headers.get("etag") ?? "" },
    });
    expect(version.number).toBe(2);
    const same = await acme.json(`${path}/publish`, 201, { method: "POST" });
    expect(same).toEqual(version);
    const one = await acme.json(`${path}/versions/1`, 200);
    expect(one).toMatchObject({ number: 1, spec: { instructions: "Our office is in Bremen." } });
    const { data } = await acme.json<{ data: { number: number }[] }>(`${path}/versions`, 200);
    expect(data.map(({ number }) => number)).toEqual([2, 1]);
    for (const number of ["3", "0", "x", "1.5"]) {
      expect((await acme.ask(`${path}/versions/${number}`)).status).toBe(404);
    }
  });

  it("a spec that cannot run is refused at publish, with where and why", async () => {
    const spec = {
      ...SPEC,
      model: "nobody/model",
      tools: [{ kind: "http", name: "x", description: "x", url: "https://169.254.169.254/{id}" }],
    };
    await acme.json("/v1/agents", 201, { json: { slug: "cannot", name: "Cannot", spec } });
    const refused = await acme.json<{ code: string; errors: { pointer: string }[] }>(
      "/v1/agents/cannot/publish",
      422,
      { method: "POST" },
    );
    expect(refused.code).toBe("spec_invalid");
    const pointers = new Set(refused.errors.map(({ pointer }) => pointer));
    expect([...pointers].sort()).toEqual(["/model", "/tools/0/url"]);
    expect(await acme.json("/v1/agents/cannot", 200)).toMatchObject({ latest_version: null });
  });
});
