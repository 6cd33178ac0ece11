/** Keys that belong to a person: never more than that person may now. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import type { IssuedKey } from "../../core/keys/contract.ts";
import { type TestAgent, addProvider, liveAgent } from "../fixtures/agent-runs.ts";
import { openChat } from "../fixtures/chat-client.ts";
import { told, verify } from "../fixtures/keys.ts";
import { type Person, newPerson } from "../fixtures/people.ts";
import { type TestTenant, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let agent: TestAgent;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
  agent = await liveAgent(acme, "support");
});

type MemberRow = { readonly id: string; readonly user_id: string; readonly revision: number };

async function memberOf({ id }: Person): Promise<MemberRow> {
  const { data } = await acme.json<{ data: MemberRow[] }>("/v1/members?limit=100", 200);
  const found = data.find(({ user_id }) => user_id === id);
  if (found === undefined) throw new Error("no such member");
  return found;
}

async function changeMember(person: Person, method: string, json?: object): Promise<void> {
  const { id, revision } = await memberOf(person);
  const headers = { "if-match": `"${revision}"` };
  const how = { method, headers, ...(json === undefined ? {} : { json }) };
  const answer = await acme.ask(`/v1/members/${id}`, how);
  if (!answer.ok) throw new Error(await answer.text());
}

async function personal(person: Person, wanted: object = {}): Promise<IssuedKey> {
  const json = { name: "own", scopes: ["agents:invoke", "agents:read"], ...wanted };
  const made = await person.ask("/v1/users/me/api-keys", { json });
  if (made.status !== 201) throw new Error(await made.text());
  return made.json<IssuedKey>();
}

describe("F25: a personal key", () => {
  it("is its owner's, listed as such, and shown once", async () => {
    const ada = await newPerson(acme, "developer");
    const key = await personal(ada);
    expect(key).toMatchObject({ owner_id: ada.id, created_by: ada.id });
    expect((await acme.ask("/v1/agents", { as: key.secret })).status).toBe(200);
    expect(await verify(acme, key.secret ?? "")).toMatchObject({ valid: true, owner_id: ada.id });
    const listed = await acme.json<{ data: IssuedKey[] }>(`/v1/keys?owner_id=${ada.id}`, 200);
    expect(listed.data.map(({ id }) => id)).toEqual([key.id]);
    expect(JSON.stringify(listed)).not.toContain(String(key.secret).slice(-49));
  });

  it("may no more than its owner may then, whatever it was made with", async () => {
    const bo = await newPerson(acme, "developer");
    const { secret } = await personal(bo, { scopes: ["agents:write", "agents:read"] });
    const write = async (slug: string) =>
      (await told(await acme.ask("/v1/agents", { as: secret, json: { slug, name: slug } })))[0];
    expect(await write("by-bo")).toBe(201);
    await changeMember(bo, "PATCH", { role: "viewer" });
    expect(await write("by-bo-2")).toBe(403);
    expect((await acme.ask("/v1/agents", { as: secret })).status).toBe(200);
    const asked = { scope: "agents:write" };
    expect(await verify(acme, secret ?? "", asked)).toMatchObject({
      code: "INSUFFICIENT_PERMISSIONS",
    });
    await changeMember(bo, "PATCH", { role: "developer" });
    expect(await write("by-bo-3")).toBe(201);
  });

  it("is weighed by its owner's statements about the very agent it is verified for", async () => {
    const gus = await newPerson(acme, "viewer");
    const other = await liveAgent(acme, "other");
    const json = { principal: gus.id, role: "invoker", agent: agent.id };
    await acme.json("/v1/assignments", 201, { json });
    const { secret } = await personal(gus, { scopes: ["agents:invoke"] });
    const code = async (asked: object) =>
      (await verify(acme, secret ?? "", { scope: "agents:invoke", ...asked })).code;
    expect(await code({ agent: agent.id, environment: "prod" })).toBe("VALID");
    expect(await code({ agent: "support", environment: "prod" })).toBe("VALID");
    expect(await code({ agent: other.id, environment: "prod" })).toBe("FORBIDDEN");
    expect((await agent.send("hello", { as: secret })).status).toBe(200);
    expect((await other.send("hello", { as: secret })).ok).toBe(false);
  });

  it("F37: ends with its owner's place in the tenant, its open sockets too", async () => {
    const cy = await newPerson(acme, "developer");
    const { secret } = await personal(cy);
    const chat = await openChat(acme, agent.slug, { as: secret });
    await chat.turn("Hello");
    await changeMember(cy, "DELETE");
    expect(await told(await acme.ask("/v1/agents", { as: secret }))).toEqual([401, "key_revoked"]);
    expect((await verify(acme, secret ?? "")).code).toBe("REVOKED");
    chat.send({ type: "message", text: "Am I still there?" });
    expect(await chat.closed).toMatchObject({ code: 4401 });
  });

  it("is worth nothing without its owner, whatever its own row says", async () => {
    const fay = await newPerson(acme, "developer");
    const { secret } = await personal(fay);
    await env.DB.prepare("DELETE FROM member WHERE user_id = ?").bind(fay.id).run();
    expect(await told(await acme.ask("/v1/agents", { as: secret }))).toEqual([401, "key_disabled"]);
    expect((await verify(acme, secret ?? "")).code).toBe("DISABLED");
  });

  it("F37: its open socket ends when its owner may no longer invoke", async () => {
    const di = await newPerson(acme, "developer");
    const { secret } = await personal(di);
    const chat = await openChat(acme, agent.slug, { as: secret });
    await chat.turn("Hello");
    await changeMember(di, "PATCH", { role: "auditor" });
    chat.send({ type: "message", text: "Am I still there?" });
    expect(await chat.closed).toMatchObject({ code: 4401 });
  });

  it("is rotated by nobody but its owner, and mints nothing that is not its owner's", async () => {
    const ed = await newPerson(acme, "admin");
    const key = await personal(ed, { scopes: ["keys:write", "keys:read", "agents:read"] });
    const stranger = await acme.ask(`/v1/keys/${key.id}/rotate`, { json: {} });
    expect(await told(stranger)).toEqual([403, "forbidden"]);
    const child = { name: "child", scopes: ["agents:read"] };
    const minted = await acme.ask("/v1/keys", { as: key.secret, json: child });
    expect(await told(minted)).toEqual([403, "forbidden"]);
    const own = await ed.ask(`/v1/keys/${key.id}/rotate`, { json: {} });
    expect(await own.json()).toMatchObject({ owner_id: ed.id, rotated_from: key.id });
  });
});
