/** What is tried at a sign-in, and what comes of it: F29, F22. */
import { env } from "cloudflare:workers";
import crypto from "node:crypto";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { derive } from "../../workers/auth/scrypt.ts";
import {
  PASSWORD,
  type Person,
  cookieOf,
  mailsTo,
  newPerson,
  open,
  withCookie,
} from "../fixtures/people.ts";
import {
  PLATFORM_ORIGIN,
  type TestTenant,
  newCookie,
  newWorld,
  request,
  shapeOf,
} from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;
let ada: Person;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
  ada = await newPerson(acme);
  const { revision } = await acme.json<{ revision: number }>("/v1/tenant", 200);
  const headers = { "if-match": `"${revision}"` };
  const json = { registration: "open" };
  await acme.json("/v1/tenant", 200, { method: "PATCH", headers, json });
});

const login = (email: string, password: string, headers = {}) =>
  open(acme, "/auth/login", { json: { email, password }, headers });
const from = (address: string) => ({ "cf-connecting-ip": address });

describe("F29: a hostile page, or one at a neighbour's host,", () => {
  const EVIL = [
    "http://evil.localhost",
    "null",
    "http://globex.localhost",
    "http://acme.localhost:1",
  ];

  it.each(EVIL)("%s signs nobody in as somebody of its choice", async (origin) => {
    const credentials = { email: ada.email, password: PASSWORD };
    for (const [path, json] of [
      ["/auth/login", credentials],
      ["/auth/session", { key: acme.key }],
      ["/auth/register", { ...credentials, name: "x" }],
      ["/auth/verify", { token: "x" }],
      ["/auth/invitations/accept", { token: "x", name: "x", password: PASSWORD }],
      ["/auth/password/reset", { token: "x", password: PASSWORD }],
    ] as const) {
      const refused = await open(acme, path, { json, headers: { origin } });
      expect([path, refused.status, refused.headers.get("set-cookie")]).toEqual([path, 403, null]);
      expect(await refused.json()).toMatchObject({ code: "origin_refused" });
    }
  });

  it("changes nothing with the cookie of who visits it, nor signs anybody out", async () => {
    for (const origin of EVIL) {
      const headers = { cookie: ada.cookie, origin };
      for (const [method, path] of [
        ["POST", "/v1/agents"],
        ["PUT", "/v1/users/me"],
        ["POST", "/auth/logout"],
        ["POST", "/auth/logout-all"],
        ["DELETE", "/auth/session"],
      ] as const) {
        const ask = { method, headers, ...(path.startsWith("/v1") ? { json: {} } : {}) };
        const refused = await open(acme, path, ask);
        expect([path, refused.status]).toEqual([path, 403]);
      }
    }
    const bare = { "if-match": '"1"', cookie: ada.cookie };
    const none = { method: "PUT", json: { name: "x" }, as: null, headers: bare };
    expect((await request(acme.origin, "/v1/users/me", none)).status).toBe(403);
    expect((await ada.ask("/v1/users/me")).status).toBe(200);
  });

  it("is told apart from a program, which names no origin, by what browsers say", async () => {
    const json = { email: ada.email, password: PASSWORD };
    const ask = (headers = {}) => request(acme.origin, "/auth/login", { json, as: null, headers });
    expect((await ask()).status).toBe(200);
    expect((await ask({ "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await ask({ "sec-fetch-site": "same-site" })).status).toBe(403);
    expect((await ask({ "sec-fetch-site": "same-origin" })).status).toBe(200);
  });

  it("may ask what it may send, and never with somebody's cookie", async () => {
    const headers = {
      origin: "https://app.example.com",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type",
    };
    const early = await request(acme.origin, "/auth/login", { method: "OPTIONS", headers });
    expect(early.status).toBe(204);
    const allowed = early.headers.get("access-control-allow-headers") ?? "";
    expect(allowed).toContain("authorization");
    for (const answer of [
      early,
      await open(acme, "/v1/users/me", {
        headers: { cookie: ada.cookie, origin: "https://app.example.com" },
      }),
    ]) {
      expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
      expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    }
  });

  it("leads nobody elsewhere: no sign-in takes an address to go to", async () => {
    const json = { email: ada.email, password: PASSWORD };
    for (const name of ["return_to", "redirect_uri", "next"]) {
      const extra = { ...json, [name]: "https://evil.example" };
      expect((await open(acme, "/auth/login", { json: extra })).status).toBe(422);
      const path = `/auth/login?${name}=https://evil.example`;
      const answer = await open(acme, path, { json });
      expect([answer.status, answer.headers.get("location")]).toEqual([200, null]);
    }
  });
});

describe("F29: a tossed cookie", () => {
  it("beside the right one makes neither count", async () => {
    const stranger = await newCookie(acme);
    for (const cookie of [`${ada.cookie}; ${stranger}`, `${stranger}; ${ada.cookie}`]) {
      expect((await withCookie(acme, cookie, "/v1/users/me")).status).toBe(401);
    }
    const out = await withCookie(acme, `${ada.cookie}x; berth=;`, "/auth/logout", {
      method: "POST",
    });
    expect(out.status).toBe(204);
    expect((await ada.ask("/v1/users/me")).status).toBe(200);
  });

  it("of another tenant's session opens nothing here", async () => {
    const theirs = await newPerson(globex);
    expect((await withCookie(acme, theirs.cookie, "/v1/users/me")).status).toBe(401);
  });

  it("that was there before a sign-in is not the one after it: none is fixed", async () => {
    const planted = `berth=${"p".repeat(43)}`;
    const json = { email: ada.email, password: PASSWORD };
    const signedIn = await withCookie(acme, planted, "/auth/login", { json });
    expect(signedIn.status).toBe(200);
    const made = cookieOf(signedIn);
    expect(made).not.toBe(planted);
    expect((await withCookie(acme, planted, "/v1/users/me")).status).toBe(401);
    const again = await withCookie(acme, made, "/auth/login", { json });
    expect(cookieOf(again)).not.toBe(made);
    expect((await withCookie(acme, made, "/v1/users/me")).status).toBe(401);
    expect((await withCookie(acme, cookieOf(again), "/v1/users/me")).status).toBe(200);
  });
});

describe("F29: whether an address has an account", () => {
  beforeEach(() => void vi.spyOn(crypto, "scrypt"));
  afterEach(() => void vi.restoreAllMocks());

  it("shows neither in the answer to a sign-in nor in the work it takes", async () => {
    const work = vi.mocked(crypto.scrypt);
    const answers = [];
    for (const email of [ada.email, "nobody@acme.example", "admin@acme.example"]) {
      work.mockClear();
      answers.push(await shapeOf(await login(email, "not the password")));
      const [call] = work.mock.calls;
      expect([email, work.mock.calls.length, call?.[3]]).toEqual([
        email,
        1,
        expect.objectContaining({ N: 16_384, r: 8, p: 5 }),
      ]);
    }
    expect(answers[0]).toMatchObject({ status: 401 });
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
  });

  it("shows not where a new password is asked for: but the mailbox is told", async () => {
    const ask = (email: string) => open(acme, "/auth/password/forgot", { json: { email } });
    const known = await shapeOf(await ask(ada.email));
    expect(known.status).toBe(202);
    expect(await shapeOf(await ask("nobody@acme.example"))).toEqual(known);
    expect((await mailsTo(ada.email, 2)).at(-1)?.subject).toBe("Choose a new password for acme");
    expect(await sentTo("nobody@acme.example")).toBe(0);
  });

  it("shows not where somebody registers: but the mailbox is told", async () => {
    const work = vi.mocked(crypto.scrypt);
    const ask = (email: string) =>
      open(acme, "/auth/register", { json: { email, name: "X", password: PASSWORD } });
    work.mockClear();
    const fresh = await shapeOf(await ask("fresh@acme.example"));
    expect([fresh.status, work.mock.calls.length]).toEqual([202, 1]);
    expect(await shapeOf(await ask(ada.email))).toEqual(fresh);
    expect(work.mock.calls.length).toBe(2);
    expect((await mailsTo(ada.email, 3)).at(-1)?.subject).toBe("You have an account at acme");
    const [mail] = await mailsTo("fresh@acme.example");
    expect(mail?.subject).toBe("Confirm your e-mail address for acme");
  });

  it("or an invitation shows not to who has no link", async () => {
    await acme.json("/v1/invitations", 201, {
      json: { email: "hidden@acme.example", role: "viewer" },
    });
    const accept = (token: string) =>
      open(acme, "/auth/invitations/accept", { json: { token, name: "X", password: PASSWORD } });
    const { data } = await acme.json<{ data: { id: string }[] }>("/v1/invitations?limit=100", 200);
    const id = data.at(-1)?.id.slice(4) ?? "";
    const shapes = [];
    for (const token of ["x", "0".repeat(69), id + "A".repeat(43)]) {
      shapes.push(await shapeOf(await accept(token)));
    }
    expect(shapes[0]).toMatchObject({ status: 403 });
    expect(shapes[1]).toEqual(shapes[0]);
    expect(shapes[2]).toEqual(shapes[0]);
  });
});

describe("F29: guessing", () => {
  it("at one account is refused for a while, from that address; the owner's still signs in", async () => {
    const { email } = await newPerson(acme);
    const statuses: number[] = [];
    let refused: Response | undefined;
    for (let i = 0; i < 12; i += 1) {
      const answer = await login(email, `guess number ${i}`, from("192.0.2.7"));
      statuses.push(answer.status);
      if (answer.status === 429) refused = answer;
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await refused?.json()).toMatchObject({ code: "rate_limited" });
    expect((await login(email, PASSWORD, from("192.0.2.7"))).status).toBe(429);
    expect((await login(email, PASSWORD, from("198.51.100.1"))).status).toBe(200);
  }, 60_000);

  it("never keeps the owner out: the link to a new password signs in meanwhile", async () => {
    const { email } = await newPerson(acme);
    const where = from("192.0.2.9");
    for (let i = 0; i < 11; i += 1) await login(email, "guess", where);
    expect((await login(email, PASSWORD, where)).status).toBe(429);
    await open(acme, "/auth/password/forgot", { json: { email }, headers: where });
    const text = (await mailsTo(email, 2)).at(-1)?.text ?? "";
    const token = /#token=(\S+)/.exec(text)?.[1];
    const json = { token, password: "a brand new lantern" };
    const reset = await open(acme, "/auth/password/reset", { json, headers: where });
    expect(reset.status).toBe(200);
    expect((await withCookie(acme, cookieOf(reset), "/v1/users/me")).status).toBe(200);
  }, 60_000);

  it("at many accounts from one network is refused, whichever of its addresses it uses", async () => {
    const asks = Array.from({ length: 31 }, (_, i) =>
      open(acme, "/auth/verify", {
        json: { token: "x" },
        headers: from(`2001:db8:7:9::${i.toString(16)}`),
      }),
    );
    const statuses = (await Promise.all(asks)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 403)).toHaveLength(30);
    expect(statuses.filter((status) => status === 429)).toHaveLength(1);
    for (const address of ["2001:db8:7:a::1", "::ffff:192.0.2.61"]) {
      const asked = { json: { token: "x" }, headers: from(address) };
      expect((await open(acme, "/auth/verify", asked)).status).toBe(403);
    }
    const mapped = Array.from({ length: 30 }, (_, i) =>
      open(acme, "/auth/verify", {
        json: { token: "x" },
        headers: from(i % 2 === 0 ? "192.0.2.61" : "::ffff:192.0.2.61"),
      }),
    );
    const last = (await Promise.all(mapped)).map(({ status }) => status);
    expect(last.filter((status) => status === 429)).toHaveLength(1);
  });

  it("by thirty at once is answered, each with its own answer: none is told of an overload", async () => {
    const guesses = Array.from({ length: 30 }, (_, i) =>
      login(`many-${i}@acme.example`, "a guess"),
    );
    const answers = await Promise.all([...guesses, login(ada.email, PASSWORD, from("192.0.2.77"))]);
    const owner = answers.pop();
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
    expect(owner?.status).toBe(200);
    expect((await login(ada.email, PASSWORD, from("192.0.2.77"))).status).toBe(200);
  }, 60_000);

  it("by more at once than may wait is told to come again, before anything is computed", async () => {
    const cheap = { n: 1024, r: 8, p: 1 };
    const asked = Array.from({ length: 70 }, () => derive("a guess", new Uint8Array(16), cheap));
    const done = await Promise.allSettled(asked);
    const refused = done.flatMap((it) => (it.status === "rejected" ? [it.reason as unknown] : []));
    expect(refused).toHaveLength(6);
    for (const reason of refused) expect(reason).toMatchObject({ code: "rate_limited" });
    expect(await derive("a guess", new Uint8Array(16), cheap)).toHaveLength(32);
  });

  it("an account that is not there is counted like one that is", async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 4; i += 1) {
      const json = { email: "ghost@acme.example" };
      const headers = from("192.0.2.33");
      statuses.push((await open(acme, "/auth/password/forgot", { json, headers })).status);
    }
    expect(statuses).toEqual([202, 202, 202, 429]);
  });

  it("and signing up by the dozen: an address makes a few tenants an hour", async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 6; i += 1) {
      const json = {
        tenant: { slug: `spam-${i}`, name: "Spam" },
        email: `spam-${i}@spam.example`,
        name: "Spam",
        password: PASSWORD,
      };
      const headers = from("192.0.2.50");
      const answer = await request(PLATFORM_ORIGIN, "/auth/register", { json, headers });
      statuses.push(answer.status);
    }
    expect(statuses).toEqual([201, 201, 201, 201, 201, 429]);
  });
});

async function sentTo(email: string): Promise<number> {
  const url = `http://127.0.0.1:${env.TEST_MAIL_PORT}/__requests?label=${email}`;
  return (await (await fetch(url)).json<{ count: number }>()).count;
}
