/** Who may open a chat socket, and how long it stays open: S3, G10, DECISIONS 24. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import type { SigningJwk } from "../../core/config.ts";
import type { Principal } from "../../core/principals/contract.ts";
import { issueToken } from "../../core/tokens/signer.ts";
import type { AgentRuntime } from "../../durable-objects/agent-runtime/object.ts";
import { Standings } from "../../durable-objects/agent-runtime/standing.ts";
import { servicesOf } from "../../workers/edge/services.ts";
import { type TestAgent, addProvider, liveAgent } from "../fixtures/agent-runs.ts";
import { type Chat, type Knock, attachments, knock, openChat } from "../fixtures/chat-client.ts";
import { newClient, tokenOf } from "../fixtures/oauth.ts";
import {
  type TestTenant,
  newAgent,
  newCookie,
  newKey,
  newToken,
  newWorld,
  provision,
  setStanding,
  shapeOf,
} from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;
let agent: TestAgent;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
  await addProvider(acme);
  agent = await liveAgent(acme, "support");
});

async function freshKey(): Promise<{ readonly id: string; readonly secret: string }> {
  const json = { name: "short", scopes: ["agents:invoke", "invocations:read"] };
  return acme.json("/v1/keys", 201, { json });
}

async function revoke(id: string): Promise<void> {
  await acme.json(`/v1/keys/${id}/revoke`, 200, { method: "POST" });
}

const turns = async (session: string) =>
  (
    await agent.rows<{ turns: number }>(
      "SELECT count(*) AS turns FROM invocation WHERE session_id = ?",
      session,
    )
  )[0]?.turns;

/** How a socket ends when it says something, and how much of it was heard. */
async function end(chat: Chat): Promise<{ readonly code: number; readonly heard: number }> {
  const before = (await turns(chat.session)) ?? 0;
  chat.send({ type: "message", text: "Am I still there?" });
  const { code } = await chat.closed;
  return { code, heard: ((await turns(chat.session)) ?? 0) - before };
}

describe("S3: a socket ends", () => {
  it("G10: with its key, before the next thing it says", async () => {
    const key = await freshKey();
    const chat = await openChat(acme, agent.slug, { as: key.secret });
    await chat.turn("Hello");
    await revoke(key.id);
    expect(await end(chat)).toEqual({ code: 4401, heard: 0 });
  });

  it("G10: with its key, before the next thing it is told", async () => {
    const key = await freshKey();
    const chat = await openChat(acme, agent.slug, { as: key.secret });
    chat.send({ type: "message", text: "[[stream-60-50]] on and on" });
    await chat.until((it) => it.type === "event" && it.event === "message.delta");
    await revoke(key.id);
    const told = chat.events().length;
    expect(await chat.closed).toMatchObject({ code: 4401, reason: "this key was revoked" });
    expect(chat.events().length).toBeLessThan(told + 20);
  });

  it("G10: when its key expires", async () => {
    const key = await freshKey();
    const chat = await openChat(acme, agent.slug, { as: key.secret });
    await chat.turn("Hello");
    await env.DB.prepare("UPDATE key SET expires_at_ms = 1 WHERE id = ?").bind(key.id).run();
    expect(await end(chat)).toEqual({ code: 4401, heard: 0 });
  });

  it("at its token's end, even if nobody looks at anything meanwhile", async () => {
    const nowMs = Date.now();
    const chat = await openChat(acme, agent.slug, { as: await newToken(acme) });
    await chat.turn("Hello");
    const kept = (await attachments(agent)).find((it) => it["sessionId"] === chat.session);
    const grant = kept?.["grant"] as { endsAtMs: number; keyId: string }; // as we wrote it
    expect(grant.keyId).toBe(acme.keyId);
    expect(grant.endsAtMs).toBeGreaterThan(nowMs + 3_500_000);
    expect(grant.endsAtMs).toBeLessThanOrEqual(Date.now() + 3_600_000);
    await age(chat, { grant: { ...grant, endsAtMs: Date.now() }, checkedAtMs: Date.now() + 1 });
    expect(await end(chat)).toEqual({ code: 4401, heard: 0 });
  });

  it("is not opened by a token past its end, leeway or not", async () => {
    const ended = Date.now() - 3_600_000 - 10_000;
    const shut = await knock(acme, agent.slug, { as: await userToken(ended) });
    expect(shut.status).toBe(401);
    expect(await shut.json()).toMatchObject({ code: "token_expired" });
    const user = await openChat(acme, agent.slug, { as: await userToken(Date.now()) });
    await user.turn("Hello");
    await age(user, { checkedAtMs: 0 });
    await user.turn("A user has no key to look at");
    user.close();
  });

  it("when its console session is signed out", async () => {
    const cookie = await newCookie(acme);
    const headers = { cookie, origin: acme.origin };
    const chat = await openChat(acme, agent.slug, { as: null, headers });
    await chat.turn("Hello");
    const out = await acme.ask("/auth/session", { method: "DELETE", as: null, headers });
    expect(out.status).toBe(204);
    expect(await end(chat)).toEqual({ code: 4401, heard: 0 });
  });

  it("G10: with its app client, switched off", async () => {
    const client = await newClient(acme, ["agents:invoke", "invocations:read"]);
    const chat = await openChat(acme, agent.slug, { as: await tokenOf(acme, client) });
    const headers = { "if-match": '"1"' };
    const json = { enabled: false };
    await acme.json(`/v1/clients/${client.id}`, 200, { method: "PATCH", headers, json });
    expect(await end(chat)).toEqual({ code: 4401, heard: 0 });
  });

  it("with its tenant's suspension, and with its agent", async () => {
    const umbrella = await provision("umbrella");
    await addProvider(umbrella);
    const theirs = await liveAgent(umbrella, "theirs");
    const [one, two] = [await openChat(umbrella, "theirs"), await openChat(umbrella, "theirs")];
    await one.turn("Hello");
    await setStanding(umbrella, "suspend");
    one.send({ type: "ping" });
    expect(await one.closed).toMatchObject({ code: 4403 });
    await setStanding(umbrella, "reactivate");
    await two.turn("Still here");
    const deleted = await umbrella.ask(`/v1/agents/${theirs.id}`, {
      method: "DELETE",
      headers: { "if-match": '"1"' },
    });
    expect(deleted.status).toBe(204);
    two.send({ type: "ping" });
    expect(await two.closed).toMatchObject({ code: 4404 });
  });

  it("DECISIONS 24: and is looked at once in the cache's time for all of one credential", async () => {
    let looks = 0;
    const { platform } = servicesOf(env);
    const standings = new Standings(() => {
      looks += 1;
      return platform;
    }, 5000);
    const key = await freshKey();
    const grant = {
      owner: agent.owner,
      keyId: key.id,
      consoleSession: null,
      endsAtMs: null,
    };
    const first = await Promise.all([standings.of(grant, 10_000), standings.of(grant, 10_000)]);
    expect(first.map(({ ok }) => ok)).toEqual([true, true]);
    await revoke(key.id);
    // An answer is as old as the start of its read.
    expect((await standings.of(grant, 14_999)).ok).toBe(true);
    expect(looks).toBe(1);
    expect(await standings.of(grant, 15_000)).toMatchObject({ ok: false, close: 4401 });
    expect(looks).toBe(2);
    expect([
      standings.fresh(10_000, 14_999),
      standings.fresh(10_000, 15_000),
      standings.fresh(10_000, 9_999),
    ]).toEqual([true, false, false]);
    // Its own end is not a matter of looking.
    const ended = await standings.of({ ...grant, keyId: acme.keyId, endsAtMs: 15_000 }, 15_000);
    expect([ended.ok, looks]).toEqual([false, 2]);
  });

  it("G10: or is let go when it cannot be looked at: 1013, to come back and resume", async () => {
    const broken = new Standings(() => {
      throw new Error("the control plane is away");
    }, 5000);
    const grant = { owner: agent.owner, keyId: null, consoleSession: null, endsAtMs: null };
    await expect(broken.of(grant, 1)).resolves.toMatchObject({ ok: false, close: 1013 });
  });
});

/** Change what a socket carries. */
async function age(chat: Chat, change: Record<string, unknown>): Promise<void> {
  await attachments(agent, (it) => (it["sessionId"] === chat.session ? { ...it, ...change } : it));
}

function userToken(nowMs: number): Promise<string> {
  // Made by the test's own setup.
  const jwk = JSON.parse(env.TOKEN_SIGNING_JWK) as SigningJwk;
  const { id: tenantId, origin, adminId: id } = acme;
  const principal: Principal = { kind: "user", id, tenantId, scopes: ["agents:invoke"] };
  return issueToken(jwk, { principal, tenantId, origin }, nowMs);
}

describe("who may open a socket", () => {
  const shape = async (how: Knock, slug = agent.slug) => {
    const answer = await knock(acme, slug, how);
    if (answer.webSocket) {
      answer.webSocket.accept();
      answer.webSocket.close();
      return { status: 101, headers: {}, body: "" };
    }
    return shapeOf(answer);
  };
  const status = async (how: Knock, slug?: string) => (await shape(how, slug)).status;

  it("F31: nobody without a credential, and none without the scope", async () => {
    expect(await status({ as: null })).toBe(401);
    const reader = await newKey(acme, { scopes: ["agents:read"] });
    expect(await status({ as: reader })).toBe(403);
    expect(await status({ as: globex.key })).toBe(401);
  });

  it("a page of this origin alone, by whichever credential", async () => {
    const cookie = await newCookie(acme);
    const foreign = ["null", globex.origin, "http://evil.localhost", `${acme.origin}:1`];
    expect(await status({ as: null, headers: { cookie, origin: acme.origin } })).toBe(101);
    expect(await status({ as: null, headers: { cookie } })).toBe(403);
    expect(await status({ headers: { origin: acme.origin } })).toBe(101);
    for (const origin of foreign) {
      expect([origin, await status({ as: null, headers: { cookie, origin } })]).toEqual([
        origin,
        403,
      ]);
      expect([origin, await status({ headers: { origin } })]).toEqual([origin, 403]);
      const query = { ticket: await ticketFor(agent.slug) };
      expect([origin, await status({ as: null, query, headers: { origin } })]).toEqual([
        origin,
        403,
      ]);
      // And it has not used the ticket up.
      expect(await status({ as: null, query, headers: { origin: acme.origin } })).toBe(101);
    }
  }, 20_000);

  it("F5, G7: of what is not there, not deployed, narrowed away or another's, all the same", async () => {
    await newAgent(acme, "undeployed");
    const { id } = await newAgent(globex, "theirs");
    const other = await liveAgent(acme, "other");
    const narrowed = await newKey(acme, { agent: agent.id });
    expect(await status({ as: narrowed })).toBe(101);
    const missing = await shape({ as: narrowed }, "no-such-agent");
    expect(missing.status).toBe(404);
    for (const slug of [other.slug, other.id, "theirs", id, "undeployed"]) {
      expect([slug, await shape({ as: narrowed }, slug)]).toEqual([slug, missing]);
    }
    expect(await shape({}, id)).toEqual(await shape({}, "no-such-agent"));
  });

  it("a ticket's holder, once, within half a minute, where it was made for", async () => {
    const query = { ticket: await ticketFor(agent.slug) };
    expect(await status({ as: null, query })).toBe(101);
    const made = await shape({ as: null, query: { ticket: "x".repeat(43) } });
    expect(made.status).toBe(401);
    expect(await shape({ as: null, query })).toEqual(made);
    const late = { ticket: await ticketFor(agent.slug) };
    await env.DB.prepare("UPDATE ticket SET expires_at_ms = ?").bind(Date.now()).run();
    expect(await shape({ as: null, query: late })).toEqual(made);
    await newAgent(globex, "support");
    const json = { agent: "support" };
    const theirs = await globex.json<{ ticket: string }>("/v1/tickets", 201, { json });
    expect(await shape({ as: null, query: { ticket: theirs.ticket } })).toEqual(made);
  });

  it("a ticket's holder is narrowed to one agent in one environment", async () => {
    const missing = async () =>
      shape({ as: null, query: { ticket: await ticketFor(agent.slug) } }, "no-such-agent");
    expect((await missing()).status).toBe(404);
    const other = await liveAgent(acme, "another");
    const at = async (slug: string, environment: string) =>
      shape({ as: null, query: { ticket: await ticketFor(agent.slug), environment } }, slug);
    expect(await at(other.slug, "prod")).toEqual(await missing());
    expect(await at(agent.slug, "dev")).toEqual(await missing());
    expect((await at(agent.slug, "prod")).status).toBe(101);
  });

  it("G10: nobody by a ticket whose key is gone by then", async () => {
    const key = await freshKey();
    const query = { ticket: await ticketFor(agent.slug, key.secret) };
    await revoke(key.id);
    const shut = await knock(acme, agent.slug, { as: null, query });
    expect(shut.status).toBe(401);
    expect(await shut.json()).toMatchObject({ code: "key_revoked" });
  });

  it("G7: nobody whose grant names another owner than the object's", async () => {
    const owner = { ...agent.owner, tenantId: globex.id };
    const answer = await runInDurableObject(agent.stub(), (object: AgentRuntime) => {
      const grant = { owner, keyId: null, consoleSession: null, endsAtMs: null, generation: 0 };
      const told = encodeURIComponent(JSON.stringify({ ...grant, principal: globex.keyId }));
      const headers = { upgrade: "websocket", "x-berth-socket": told };
      return object.fetch(new Request("https://agent-runtime/chat", { headers }));
    });
    expect([answer.status, answer.webSocket]).toEqual([503, null]);
  });

  async function ticketFor(slug: string, as = acme.key): Promise<string> {
    const asked = { json: { agent: slug }, as };
    return (await acme.json<{ ticket: string }>("/v1/tickets", 201, asked)).ticket;
  }
});
