/**
 * Every route, from the route table itself: what belongs to one tenant is to another as if it did
 * not exist (G7, DECISIONS 32). A route without a case fails here.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { app } from "../../workers/app.ts";
import { type Attempt, CASES, OPEN, OWN, PLATFORM } from "../fixtures/isolation-cases.ts";
import { LEAVING, OPEN_LIFE } from "../fixtures/isolation-life.ts";
import {
  type Ask,
  PLATFORM_ORIGIN,
  type TestTenant,
  askPlatform,
  newCookie,
  newKey,
  newToken,
  newWorld,
  provision,
  request,
  shapeOf,
} from "../fixtures/world.ts";

/** How a request is made to carry a credential. */
type Credential = { readonly name: string; readonly on: (ask: Ask, origin: string) => Ask };

const ROUTES = app.routes();
const nameOf = ({ method, path }: { method: string; path: string }) => `${method} ${path}`;
const tenantRoutes = ROUTES.filter(({ host }) => host === "tenant").map(nameOf);

let acme: TestTenant;
let globex: TestTenant;
/** Globex's, all of them good at globex's own host. */
let foreign: readonly Credential[];
/** Of the same kinds, opening nothing anywhere. */
let bogus: readonly Credential[];

beforeAll(async () => {
  ({ acme, globex } = await newWorld());
  const [narrowed, token, cookie] = await Promise.all([
    newKey(globex, { environment: "prod" }),
    newToken(globex),
    newCookie(globex),
  ]);
  foreign = [
    bearer("key", globex.key),
    bearer("narrowed key", narrowed),
    bearer("token", token),
    session("cookie", cookie),
  ];
  bogus = [
    bearer("key", `${globex.key.slice(0, -49)}${"0".repeat(49)}`),
    bearer("narrowed key", "berth_live_nothing"),
    bearer("token", `${token.split(".").slice(0, 2).join(".")}.AAAA`),
    session("cookie", cookie.replace(/=.*/, `=${"0".repeat(43)}`)),
  ];
});

describe("the route table", { timeout: 30_000 }, () => {
  it("F13: has a case for each route, and each case a route", () => {
    const cases = [CASES, OWN, LEAVING].flatMap((some) => Object.keys(some)).concat(OPEN);
    expect(tenantRoutes.filter((route) => !cases.includes(route))).toEqual([]);
    expect(cases.filter((route) => !tenantRoutes.includes(route))).toEqual([]);
  });

  it("F31: demands a credential wherever it is not declared open", async () => {
    for (const { host, method, path, scope } of ROUTES) {
      if (scope === "open") continue;
      const at = path.replaceAll(/:[a-z]+/g, "1");
      const origin = host === "platform" ? PLATFORM_ORIGIN : acme.origin;
      const answer = await request(origin, at, { method, as: null });
      expect([method, path, answer.status]).toEqual([method, path, 401]);
      expect(await answer.json()).toMatchObject({ code: "unauthenticated" });
    }
  });

  it("F31: declares open only what is known to be, and what looks at the credential itself", () => {
    const known = new Set([
      ...OPEN,
      ...OPEN_LIFE,
      "GET /v1/users/me",
      "GET /auth/session",
      "GET /a/:agent/chat",
      "GET /v1/access/explain",
    ]);
    const open = ROUTES.filter(({ scope }) => scope === "open").map(nameOf);
    expect(open.filter((route) => !known.has(route))).toEqual([]);
  });
});

describe(
  "F5, F12, F13: what acme has is to globex as if it did not exist",
  { timeout: 30_000 },
  () => {
    for (const [route, { make, none, at }] of Object.entries(CASES)) {
      it(`${route}, for its owner and for nobody else`, async () => {
        expect(await statusOf(acme, at(await make(acme)))).toSatisfy(succeeded);
        const theirs = await make(acme);
        for (const { name, on } of foreign) {
          // At its own host, where the credential is good: the answer of a missing resource.
          const reached = await shapeOf(await send(globex.origin, at(theirs), on));
          const missed = await shapeOf(await send(globex.origin, at(none), on));
          expect([name, succeeded(missed.status)]).toEqual([name, false]);
          expect([name, reached]).toEqual([name, missed]);
        }
        await expectBogus(acme.origin, () => at(theirs));
        // And nothing has changed: the owner's own request still does what it did.
        expect(await statusOf(acme, at(theirs))).toSatisfy(succeeded);
      });
    }
  },
);

describe(
  "F5, F12: what a tenant is told of itself holds nothing of another",
  { timeout: 30_000 },
  () => {
    for (const [route, attempt] of Object.entries(OWN)) {
      it(`${route}, about the asking tenant alone`, async () => {
        const owners = await acme.ask(attempt().path, attempt());
        expect(owners.status).toSatisfy(succeeded);
        const ids = [
          acme.id,
          acme.keyId,
          ...((await owners.text()).match(/[a-z]{3}_[0-9a-z]{26}/g) ?? []),
        ];
        for (const { on } of foreign) {
          const text = await (await send(globex.origin, attempt(), on)).text();
          expect(ids.filter((id) => text.includes(id))).toEqual([]);
        }
        await expectBogus(acme.origin, attempt);
      });
    }
  },
);

describe("F15, F16: a tenant leaves by its own hand", { timeout: 30_000 }, () => {
  for (const [route, make] of Object.entries(LEAVING)) {
    it(`${route}, and by nobody else's`, async () => {
      const tenant = await provision(`gone-${route.length}`);
      const attempt = await make(tenant);
      await expectBogus(tenant.origin, () => attempt);
      expect(await statusOf(tenant, attempt)).toSatisfy(succeeded);
    });
  }
});

describe("F12: the platform's own routes", { timeout: 30_000 }, () => {
  const platformRoutes = ROUTES.filter(
    ({ host, scope }) => host === "platform" && scope !== "open",
  );

  it("have a case each", () => {
    expect(Object.keys(PLATFORM).toSorted()).toEqual(platformRoutes.map(nameOf).toSorted());
  });

  for (const [route, make] of Object.entries(PLATFORM)) {
    it(`${route}, for no key of a tenant`, async () => {
      const { path, ...ask } = await make();
      expect((await askPlatform(path, ask)).status).toSatisfy(succeeded);
      await expectBogus(PLATFORM_ORIGIN, () => ({ ...ask, path }));
    });
  }
});

/** On another host a credential of globex's is told what a made-up one of its kind is told. */
async function expectBogus(origin: string, attempt: () => Attempt): Promise<void> {
  for (const [index, { name, on }] of foreign.entries()) {
    const refused = await shapeOf(await send(origin, attempt(), on));
    const made = bogus[index];
    if (made === undefined) throw new Error("no bogus credential of this kind");
    const nobody = await shapeOf(await send(origin, attempt(), made.on));
    expect([name, nobody.status]).toEqual([name, 401]);
    expect([name, refused]).toEqual([name, nobody]);
  }
}

async function statusOf(tenant: TestTenant, { path, ...ask }: Attempt): Promise<number> {
  const answer = await tenant.ask(path, ask);
  if (answer.webSocket) {
    answer.webSocket.accept();
    answer.webSocket.close();
  } else await answer.text();
  return answer.status;
}

function send(origin: string, { path, ...ask }: Attempt, on: Credential["on"]) {
  return request(origin, path, on(ask, origin));
}

/** 101 is how a socket succeeds. */
function succeeded(status: number): boolean {
  return status === 101 || (status >= 200 && status < 300);
}

function bearer(name: string, text: string): Credential {
  return { name, on: (ask) => ({ ...ask, as: text }) };
}

/** A cookie writes from its own host's page alone, so it comes with an Origin. */
function session(name: string, cookie: string): Credential {
  return {
    name,
    on: (ask, origin) => ({ ...ask, as: null, headers: { ...ask.headers, cookie, origin } }),
  };
}
