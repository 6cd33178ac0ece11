/** How people come in, sign in and out, and leave: F21–F23, F25, F28. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import {
  PASSWORD,
  type Person,
  cookieOf,
  mailedToken,
  mailsTo,
  newPerson,
  open,
  withCookie,
} from "../fixtures/people.ts";
import { type TestTenant, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
});

type Tokens = { access_token: string; refresh_token: string; expires_in: number };

const loginAs = (tenant: TestTenant, { email }: Pick<Person, "email">, more = {}) =>
  open(tenant, "/auth/login", { json: { email, password: PASSWORD, ...more } });

describe("signing in", () => {
  it("F21: by e-mail and password, to a session and out of it", async () => {
    const person = await newPerson(acme);
    const answer = await loginAs(acme, person);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      principal: { kind: "user", id: person.id },
      user: { email: person.email, role: "admin", verified: true },
    });
    const set = answer.headers.get("set-cookie") ?? "";
    expect(set).toMatch(/^berth=[^;]{40,}; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax$/);
    const cookie = cookieOf(answer);
    expect((await withCookie(acme, cookie, "/v1/agents")).status).toBe(200);
    const out = await withCookie(acme, cookie, "/auth/logout", { method: "POST" });
    expect([out.status, out.headers.get("set-cookie")]).toEqual([
      204,
      expect.stringContaining("Max-Age=0"),
    ]);
    expect((await withCookie(acme, cookie, "/v1/agents")).status).toBe(401);
  });

  it("F28: log in, take the token, use it at another route; it is a quarter of an hour long", async () => {
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
  });
});
