/** How people come in, sign in and out, and leave: F17, F21, F22, F28. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { openChat } from "../fixtures/chat-client.ts";
import {
  PASSWORD,
  type Person,
  cookieOf,
  mailedLink,
  mailedToken,
  mailsTo,
  newPerson,
  open,
  withCookie,
} from "../fixtures/people.ts";
import {
  PLATFORM_ORIGIN,
  type TestTenant,
  deploy,
  newAgent,
  newWorld,
  request,
} from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
});

type Tokens = { access_token: string; refresh_token: string; expires_in: number; scope: string };

const OTHER_PASSWORD = "another quiet lantern 27";

const loginAs = (tenant: TestTenant, { email }: Pick<Person, "email">, more = {}) =>
  open(tenant, "/auth/login", { json: { email, password: PASSWORD, ...more } });

async function tokensOf(tenant: TestTenant, person: Person): Promise<Tokens> {
  return (await loginAs(tenant, person, { tokens: true })).json();
}

/** The token endpoint, as an OAuth client asks it. */
async function grant(tenant: TestTenant, form: Readonly<Record<string, string>>) {
  const { exports } = await import("cloudflare:workers");
  const headers = {
    host: new URL(tenant.origin).host,
    "content-type": "application/x-www-form-urlencoded",
  };
  const body = new URLSearchParams(form).toString();
  const asked = new Request(`${tenant.origin}/auth/token`, { method: "POST", headers, body });
  return exports.default.fetch(asked);
}

const refresh = (refresh_token: string, more = {}) =>
  grant(acme, { grant_type: "refresh_token", refresh_token, ...more });

/** Slug of an agent that is live. */
async function agentOf(tenant: TestTenant, slug: string): Promise<string> {
  await deploy(tenant, (await newAgent(tenant, slug)).id);
  return slug;
}

/** Still good? */
const standing = async (person: Pick<Person, "ask">) => (await person.ask("/v1/users/me")).status;

describe("signing in", () => {
  it("F21: by e-mail and password, to a session and out of it", async () => {
    const person = await newPerson(acme);
    const answer = await loginAs(acme, { email: person.email.toUpperCase() });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      principal: { kind: "user", id: person.id },
      user: { email: person.email, role: "admin", verified: true, has_password: true },
    });
    const set = answer.headers.get("set-cookie") ?? "";
    expect(set).toMatch(/^berth=[^;]{40,}; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax$/);
    const cookie = cookieOf(answer);
    expect((await withCookie(acme, cookie, "/v1/agents")).status).toBe(200);
    expect((await withCookie(globex, cookie, "/v1/agents")).status).toBe(401);
    const out = await withCookie(acme, cookie, "/auth/logout", { method: "POST" });
    expect([out.status, out.headers.get("set-cookie")]).toEqual([
      204,
      expect.stringContaining("Max-Age=0"),
    ]);
    expect((await withCookie(acme, cookie, "/v1/agents")).status).toBe(401);
  });

  it("F28: log in, take the token, use it elsewhere; it is a quarter of an hour long", async () => {
    const person = await newPerson(acme, "viewer");
    const answer = await loginAs(acme, person, { tokens: true });
    expect([answer.status, answer.headers.get("set-cookie")]).toEqual([200, null]);
    const tokens = await answer.json<Tokens>();
    expect(tokens.expires_in).toBeLessThanOrEqual(900);
    const as = tokens.access_token;
    expect((await acme.ask("/v1/agents", { as })).status).toBe(200);
    const made = await acme.ask("/v1/agents", { as, json: { slug: "x", name: "x" } });
    expect(made.status).toBe(403);
    expect((await globex.ask("/v1/agents", { as })).status).toBe(401);
    expect((await acme.ask("/v1/agents", { as: tokens.refresh_token })).status).toBe(401);
  });

  it("F22: the same characters are the same password, however they were typed", async () => {
    const { email } = await newPerson(acme);
    const forgot = () => open(acme, "/auth/password/forgot", { json: { email } });
    expect((await forgot()).status).toBe(202);
    const composed = "caf\u00e9 parole \u00c5ngstr\u00f6m 7";
    const json = { token: await mailedToken(email, 2), password: composed };
    expect((await open(acme, "/auth/password/reset", { json })).status).toBe(200);
    const typed = { email, password: composed.normalize("NFD") };
    expect((await open(acme, "/auth/login", { json: typed })).status).toBe(200);
  });

  it("F22: keeps no password, and a hash with what made it; an old cost is brought up to date", async () => {
    const person = await newPerson(acme);
    const hashOf = async () =>
      (
        await env.DB.prepare("SELECT password_hash FROM user WHERE id = ?")
          .bind(person.id)
          .first<{ password_hash: string }>()
      )?.password_hash ?? "";
    const made = await hashOf();
    expect(made).toMatch(/^scrypt\$16384\$8\$5\$[\w-]{22}\$[\w-]{43}$/);
    const { scryptSync } = await import("node:crypto");
    const salt = Buffer.alloc(16, 7);
    const old = scryptSync(PASSWORD, salt, 32, { N: 1024, r: 8, p: 1 }).toString("base64url");
    await env.DB.prepare("UPDATE user SET password_hash = ? WHERE id = ?")
      .bind(`scrypt$1024$8$1$${salt.toString("base64url")}$${old}`, person.id)
      .run();
    expect((await loginAs(acme, person)).status).toBe(200);
    expect(await hashOf()).toMatch(/^scrypt\$16384\$8\$5\$/);
    expect((await loginAs(acme, person)).status).toBe(200);
  });
});

describe("refresh tokens", () => {
  it("a mistyped scope does not use the token up", async () => {
    const { refresh_token } = await tokensOf(acme, await newPerson(acme));
    const refused = await refresh(refresh_token, { scope: "agents:raed" });
    expect(await refused.json()).toMatchObject({ error: "invalid_scope" });
    expect((await refresh(refresh_token)).status).toBe(200);
  });

  it("F21: give new ones once; used again, nothing of the sign-in counts any more", async () => {
    const first = await tokensOf(acme, await newPerson(acme));
    const second = await (await refresh(first.refresh_token)).json<Tokens>();
    expect((await acme.ask("/v1/agents", { as: second.access_token })).status).toBe(200);
    expect(second.refresh_token).not.toBe(first.refresh_token);
    const reused = await refresh(first.refresh_token);
    expect([reused.status, await reused.json()]).toMatchObject([400, { error: "invalid_grant" }]);
    expect((await refresh(second.refresh_token)).status).toBe(400);
  });

  it("F21: of two uses at once one wins, and the family is over: there is no grace", async () => {
    const { refresh_token } = await tokensOf(acme, await newPerson(acme));
    const both = await Promise.all([refresh(refresh_token), refresh(refresh_token)]);
    expect(new Set(both.map(({ status }) => status))).toEqual(new Set([200, 400]));
    const won = both.find(({ status }) => status === 200);
    const { refresh_token: next } = (await won?.json<Tokens>()) ?? { refresh_token: "" };
    expect((await refresh(next)).status).toBe(400);
  });

  it("F21: narrow what they give, never widen it, and are of one tenant", async () => {
    const { email } = await newPerson(acme, "developer");
    const form = { grant_type: "password", username: email, password: PASSWORD };
    const narrow = await grant(acme, { ...form, scope: "agents:read" });
    expect(narrow.headers.get("cache-control")).toBe("no-store");
    const first = await narrow.json<Tokens>();
    expect(first).toMatchObject({ token_type: "Bearer", scope: "agents:read" });
    const wide = await (
      await refresh(first.refresh_token, { scope: "agents:write" })
    ).json<Tokens>();
    expect(wide.scope).toBe("");
    expect((await acme.ask("/v1/agents", { as: wide.access_token })).status).toBe(403);
    const there = await grant(globex, {
      grant_type: "refresh_token",
      refresh_token: wide.refresh_token,
    });
    expect(there.status).toBe(400);
    const unknown = await grant(acme, { ...form, scope: "everything" });
    expect(await unknown.json()).toMatchObject({ error: "invalid_scope" });
    const wrong = await grant(acme, { ...form, password: "not the password" });
    expect([wrong.status, await wrong.json()]).toMatchObject([400, { error: "invalid_grant" }]);
  });

  it("F21: none is in a table", async () => {
    const { refresh_token, access_token } = await tokensOf(acme, await newPerson(acme));
    const rows = JSON.stringify([
      (await env.DB.prepare("SELECT * FROM refresh_token").all()).results,
      (await env.DB.prepare("SELECT * FROM audit").all()).results,
    ]);
    expect(rows).not.toContain(refresh_token.slice(-40));
    expect(rows).not.toContain(access_token.slice(-40));
  });
});

describe("what ends what was begun", () => {
  it("F21: signing out everywhere ends sessions, tokens of both kinds, and open sockets", async () => {
    const person = await newPerson(acme);
    const second = cookieOf(await loginAs(acme, person));
    const tokens = await tokensOf(acme, person);
    const agent = await agentOf(acme, "ended");
    const headers = { cookie: second, origin: acme.origin };
    const chat = await openChat(acme, agent, { as: null, headers });
    await chat.turn("When do you close?");
    const byToken = await openChat(acme, agent, { as: tokens.access_token });
    const out = await person.ask("/auth/logout-all", { method: "POST" });
    expect(out.status).toBe(204);
    expect(await standing(person)).toBe(401);
    expect((await withCookie(acme, second, "/v1/users/me")).status).toBe(401);
    expect((await acme.ask("/v1/users/me", { as: tokens.access_token })).status).toBe(401);
    expect((await refresh(tokens.refresh_token)).status).toBe(400);
    for (const socket of [chat, byToken]) {
      socket.send({ type: "ping" });
      expect(await socket.closed).toMatchObject({ code: 4401 });
    }
    expect((await loginAs(acme, person)).status).toBe(200);
  });

  it("F22: a changed password ends all but the session it was changed in", async () => {
    const person = await newPerson(acme);
    const other = cookieOf(await loginAs(acme, person));
    const tokens = await tokensOf(acme, person);
    const json = { current_password: PASSWORD, new_password: OTHER_PASSWORD };
    const wrong = { ...json, current_password: "not the password" };
    const path = "/v1/users/me/password";
    const refused = await person.ask(path, { method: "PUT", json: wrong });
    expect([refused.status, await refused.json()]).toMatchObject([
      422,
      { errors: [{ pointer: "/current_password" }] },
    ]);
    const changed = await person.ask(path, { method: "PUT", json });
    expect(changed.status).toBe(204);
    const renewed = cookieOf(changed);
    expect((await withCookie(acme, renewed, "/v1/users/me")).status).toBe(200);
    expect(await standing(person)).toBe(401);
    expect((await withCookie(acme, other, "/v1/users/me")).status).toBe(401);
    expect((await refresh(tokens.refresh_token)).status).toBe(400);
    expect((await acme.ask("/v1/users/me", { as: tokens.access_token })).status).toBe(401);
    expect((await loginAs(acme, person)).status).toBe(401);
    expect((await loginAs(acme, person, { password: OTHER_PASSWORD })).status).toBe(200);
  });

  it("F21: a removed member has no session, token, key or socket left", async () => {
    const person = await newPerson(acme);
    const tokens = await tokensOf(acme, person);
    const wanted = { name: "mine", scopes: ["agents:read", "agents:invoke"] };
    const made = await person.ask("/v1/users/me/api-keys", { json: wanted });
    const { secret } = await made.json<{ secret: string }>();
    expect((await acme.ask("/v1/agents", { as: secret })).status).toBe(200);
    const agent = await agentOf(acme, "left");
    const chat = await openChat(acme, agent, { as: secret });
    const byToken = await openChat(acme, agent, { as: tokens.access_token });
    await chat.turn("When?");
    await byToken.turn("When?");
    const { data } = await acme.json<{ data: { id: string; user_id: string }[] }>(
      "/v1/members?limit=100",
      200,
    );
    const member = data.find(({ user_id }) => user_id === person.id);
    const headers = { "if-match": '"1"' };
    const path = `/v1/members/${member?.id}`;
    expect((await acme.ask(path, { method: "DELETE", headers })).status).toBe(204);
    expect(await standing(person)).toBe(401);
    expect((await acme.ask("/v1/agents", { as: secret })).status).toBe(401);
    expect((await acme.ask("/v1/agents", { as: tokens.access_token })).status).toBe(401);
    expect((await refresh(tokens.refresh_token)).status).toBe(400);
    for (const socket of [chat, byToken]) {
      socket.send({ type: "ping" });
      expect(await socket.closed).toMatchObject({ code: 4401 });
    }
    expect((await loginAs(acme, person)).status).toBe(401);
  });
});

describe("coming in", () => {
  it("a role that an invitation promises stays until that is taken back", async () => {
    const role = { slug: "promised", name: "P", statements: [HR] };
    await acme.json("/v1/roles", 201, { json: role });
    const json = { email: "promised@acme.example", role: "promised" };
    const { id } = await acme.json<{ id: string }>("/v1/invitations", 201, { json });
    const removal = { method: "DELETE", headers: { "if-match": '"1"' } };
    expect((await acme.ask("/v1/roles/promised", removal)).status).toBe(409);
    await acme.json(`/v1/invitations/${id}/revoke`, 200, { method: "POST" });
    expect((await acme.ask("/v1/roles/promised", removal)).status).toBe(204);
  });

  it("F21: by an invitation, once, in the role it was made with and with what it says", async () => {
    const email = "guest@acme.example";
    const inviter = await newPerson(acme);
    const asked = await inviter.ask("/v1/invitations", { json: { email, role: "viewer" } });
    expect([asked.status, await asked.json()]).toMatchObject([201, { email, status: "open" }]);
    const [mail] = await mailsTo(email);
    expect(mail).toMatchObject({ to: [email], subject: "You are invited to acme" });
    expect(mail?.text).toContain("invites you to acme");
    const link = new URL(await mailedLink(email));
    expect(link.origin + link.pathname).toBe("http://acme.localhost:8787/console/invitation");
    expect(link.search).toBe("");
    const json = { token: await mailedToken(email), name: "Gia", password: PASSWORD };
    const there = await open(globex, "/auth/invitations/accept", { json });
    expect([there.status, await there.json()]).toMatchObject([403, { code: "link_invalid" }]);
    const joined = await open(acme, "/auth/invitations/accept", { json });
    expect(await joined.json()).toMatchObject({ user: { email, name: "Gia", role: "viewer" } });
    const again = await open(acme, "/auth/invitations/accept", { json });
    expect([again.status, await again.json()]).toMatchObject([403, { code: "link_invalid" }]);
  });

  it("F21: in no role that holds more than the inviter", async () => {
    const json = { slug: "hr", name: "HR", statements: [HR] };
    await acme.json("/v1/roles", 201, { json });
    const clerk = await newPerson(acme, "hr");
    const ask = (role: string) =>
      clerk.ask("/v1/invitations", { json: { email: `${role}-x@acme.example`, role } });
    expect((await ask("hr")).status).toBe(201);
    expect((await ask("admin")).status).toBe(403);
    expect((await ask("nothing")).status).toBe(422);
    const promised = { json: { email: "boss@acme.example", role: "admin" } };
    const { id } = await acme.json<{ id: string }>("/v1/invitations", 201, promised);
    const revoking = `/v1/invitations/${id}/revoke`;
    expect((await clerk.ask(revoking, { method: "POST" })).status).toBe(403);
    expect(await acme.json(`/v1/invitations/${id}`, 200)).toMatchObject({ status: "open" });
    await acme.json(revoking, 200, { method: "POST" });
    const { data } = await acme.json<{ data: { id: string; role: string }[] }>(
      "/v1/members?limit=100",
      200,
    );
    const admin = data.find(({ role }) => role === "admin");
    const headers = { "if-match": '"1"' };
    const gone = await clerk.ask(`/v1/members/${admin?.id}`, { method: "DELETE", headers });
    expect(gone.status).toBe(403);
  });

  it("F21: by registering, only where the tenant lets anybody, and only with the mailbox", async () => {
    const email = "walk-in@acme.example";
    const json = { email, name: "Wanda", password: PASSWORD };
    const closed = await open(acme, "/auth/register", { json });
    expect([closed.status, await closed.json()]).toMatchObject([
      403,
      { code: "registration_closed" },
    ]);
    const { revision } = await acme.json<{ revision: number }>("/v1/tenant", 200);
    await acme.json("/v1/tenant", 200, {
      method: "PATCH",
      headers: { "if-match": `"${revision}"` },
      json: { registration: "open", default_role: "invoker" },
    });
    expect((await open(acme, "/auth/register", { json })).status).toBe(202);
    expect((await loginAs(acme, { email })).status).toBe(401);
    const token = await mailedToken(email);
    const verify = (origin: TestTenant) => open(origin, "/auth/verify", { json: { token } });
    expect((await verify(globex)).status).toBe(403);
    expect((await verify(acme)).status).toBe(204);
    expect((await verify(acme)).status).toBe(403);
    const signedIn = await loginAs(acme, { email });
    expect(await signedIn.json()).toMatchObject({ user: { role: "invoker", verified: true } });
  });

  it("F17: by signing up with a tenant of one's own, which waits with others for the mailbox", async () => {
    const email = "founder@umbrella.example";
    const json = {
      tenant: { slug: "umbrella", name: "Umbrella" },
      email,
      name: "Uma",
      password: PASSWORD,
    };
    const post = (body: object) => request(PLATFORM_ORIGIN, "/auth/register", { json: body });
    const made = await post(json);
    expect(made.status).toBe(201);
    expect(await made.json()).toMatchObject({ tenant: { slug: "umbrella" }, admin: { email } });
    expect((await post({ ...json, email: "other@umbrella.example" })).status).toBe(409);
    const umbrella = { ...acme, origin: "http://umbrella.localhost" };
    const signedIn = await loginAs(umbrella, { email });
    expect(await signedIn.clone().json()).toMatchObject({
      user: { role: "admin", verified: false },
    });
    const cookie = cookieOf(signedIn);
    const invite = () =>
      withCookie(umbrella, cookie, "/v1/invitations", {
        json: { email: "friend@umbrella.example", role: "viewer" },
      });
    const early = await invite();
    expect([early.status, await early.json()]).toMatchObject([403, { code: "email_unverified" }]);
    const name = { json: { name: "agents.umbrella-corp.com" } };
    const taken = await withCookie(umbrella, cookie, "/v1/hostnames", name);
    expect(await taken.json()).toMatchObject({ code: "email_unverified" });
    const token = await mailedToken(email);
    expect((await open(umbrella, "/auth/verify", { json: { token } })).status).toBe(204);
    expect((await invite()).status).toBe(201);
  });

  it("F17: the administrator of a provisioned tenant chooses a password by the mailed link", async () => {
    const email = `admin@${globex.slug}.example`;
    const json = { token: await mailedToken(email), password: PASSWORD };
    const chosen = await open(globex, "/auth/password/reset", { json });
    expect(await chosen.json()).toMatchObject({
      user: { id: globex.adminId, verified: true, role: "admin" },
    });
    expect((await loginAs(globex, { email })).status).toBe(200);
    expect((await open(globex, "/auth/password/reset", { json })).status).toBe(403);
  });
});

describe("F22: a password", () => {
  it.each([
    ["seven c", "1234567", "/password"],
    ["among the worst", "Password2024!", "/password"],
    ["one character", "aaaaaaaaaaaaaaaa", "/password"],
    ["too long", "ü".repeat(1025), "/password"],
    ["their address", "x person-choosy@acme.example x", "/password"],
  ])("is refused: %s", async (_what, password, pointer) => {
    const email = "person-choosy@acme.example";
    await acme.ask("/v1/invitations", { json: { email, role: "viewer" } });
    const token = await mailedToken(email);
    const json = { token, name: "Choosy", password };
    const refused = await open(acme, "/auth/invitations/accept", { json });
    expect([refused.status, await refused.json()]).toMatchObject([422, { errors: [{ pointer }] }]);
  });

  it("of eight characters, and of a thousand of any script, is taken", async () => {
    for (const password of ["zq7 tävk", "長いパスフレーズ".repeat(128)]) {
      const email = `script-${password.length}@acme.example`;
      await acme.json("/v1/invitations", 201, { json: { email, role: "viewer" } });
      const json = { token: await mailedToken(email), name: "Any", password };
      expect((await open(acme, "/auth/invitations/accept", { json })).status).toBe(200);
      expect((await open(acme, "/auth/login", { json: { email, password } })).status).toBe(200);
    }
  });
});

const HR = { effect: "allow", scopes: ["members:read", "members:write"] };
