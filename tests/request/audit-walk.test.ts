/**
 * Every route that changes something, from the route table itself: its owner's successful request
 * leaves an entry in the trail that names the request, the actor and the resource (F171). A new one
 * without fails here; so does an exception that is none any more.
 */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { app } from "../../workers/app.ts";
import { CASES, OWN, PLATFORM } from "../fixtures/isolation-cases.ts";
import { LEAVING } from "../fixtures/isolation-life.ts";
import { type Asked, SIGN_UP, WALKED_PEOPLE } from "../fixtures/walked-people.ts";
import { type TestTenant, askPlatform, newCookie, newWorld, provision } from "../fixtures/world.ts";

/** What writes no entry, each with its reason. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  "POST /v1/tenant/erase": "the erasure is its record: the trail ends with its tenant",
  "POST /auth/register": "asks for a mail; whoever opens its link becomes a user, with an entry",
  "POST /auth/password/forgot": "asks for a mail, alike for an address that nobody has",
  "POST /auth/token": "hands out what ends by itself and is stored nowhere",
  "POST /callbacks/:id/:proof":
    "whoever was given the address answers a step of a run, in its journal",
  "POST /v1/keys/verify": "asks whether a key is good, and changes nothing but its meter",
};

/** The same on the platform's host. */
const EXCEPTIONS_PLATFORM: Readonly<Record<string, string>> = {
  "POST /v1/tenants/:id/erase": "the erasure is its record: the trail ends with its tenant",
  "POST /v1/tenants/import": "the transfer is its record: an entry would change what was moved",
};

/** Open routes: they look at the credential themselves, so the request is made here. */
const SIGNING: Readonly<Record<string, (owner: TestTenant) => Promise<Asked>>> = {
  ...WALKED_PEOPLE,
  "POST /auth/session": async ({ key }) => ({ path: "/auth/session", json: { key }, as: null }),
  "DELETE /auth/session": async (owner) => ({
    path: "/auth/session",
    method: "DELETE",
    as: null,
    headers: { cookie: await newCookie(owner), origin: owner.origin },
  }),
};

/** What must be done first, so that the case's request changes something. */
const BEFORE: Readonly<Record<string, (owner: TestTenant, id: string) => Promise<unknown>>> = {
  "POST /v1/agents/:id/publish": (owner, id) =>
    owner.json(`/v1/agents/${id}/draft`, 200, {
      method: "PUT",
      headers: { "if-match": '"1"' },
      json: { kind: "llm", instructions: "Not published yet." },
    }),
};

/** Asked at a tenant made for it. */
const LEAVES = "POST /v1/tenant/export";

/** On the platform's host, where it makes a tenant. */
const SIGNING_UP = "POST /auth/register";

const BEFORE_PLATFORM: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  "POST /v1/tenants/:id/reactivate": (path) =>
    askPlatform(path.replace("reactivate", "suspend"), { method: "POST" }),
};

type Row = {
  readonly tenant_id: string;
  readonly actor_kind: string;
  readonly actor_id: string;
  readonly resource_kind: string;
  readonly resource_id: string;
  readonly result: string;
  readonly detail: string | null;
};

const ID = /^[a-z]{3}_[0-9a-z]{26}$/;
const nameOf = ({ method, path }: { method: string; path: string }) => `${method} ${path}`;
const changing = app
  .routes()
  .filter(({ method, path }) => method !== "GET" && !path.startsWith("/a/"));
const onTenant = changing.filter(({ host }) => host === "tenant").map(nameOf);
const onPlatform = changing.filter(({ host }) => host === "platform").map(nameOf);

let acme: TestTenant;
let count = 0;

beforeAll(async () => {
  ({ acme } = await newWorld());
});

async function entriesOf(
  send: (headers: Readonly<Record<string, string>>) => Promise<Response>,
): Promise<readonly Row[]> {
  count += 1;
  const requestId = `req_walk_${count}_of_the_audit`;
  const answer = await send({ "x-request-id": requestId });
  const text = await answer.text();
  expect([answer.status, text]).toSatisfy(([status]: [number]) => status >= 200 && status < 300);
  const { results } = await env.DB.prepare("SELECT * FROM audit WHERE request_id = ?")
    .bind(requestId)
    .all<Row>();
  return results;
}

function ask(owner: TestTenant, { path, headers, ...options }: Asked) {
  return entriesOf((more) => owner.ask(path, { ...options, headers: { ...headers, ...more } }));
}

/** What it makes names what it belongs to in a row of its own; the entry names what was made. */
const MADE_UNDER = new Set(["POST /v1/agents/:id/tokens"]);

/** Names something, and what the path named is among it. */
function expectNamed(entries: readonly Row[], path: string, ids: readonly string[]): void {
  expect(entries.length).toBeGreaterThan(0);
  for (const { resource_kind: kind, resource_id: id } of entries) {
    expect(kind).toMatch(/^[a-z][a-z_]*$/);
    expect(id).not.toBe("");
  }
  const told = entries.map(({ resource_id: id, detail }) => `${id} ${detail ?? ""}`).join(" ");
  const asked = ids.filter((id) => ID.test(id) && path.includes(id));
  expect(asked.filter((id) => !told.includes(id))).toEqual([]);
}

describe("F171: what changes something leaves an entry", { timeout: 30_000 }, () => {
  it("every such route has a case or a reason", () => {
    const cases = new Set([CASES, OWN, SIGNING, EXCEPTIONS].flatMap(Object.keys).concat(LEAVES));
    expect(onTenant.filter((route) => !cases.has(route))).toEqual([]);
    const known = new Set([...Object.keys(PLATFORM), SIGNING_UP]);
    expect(onPlatform.filter((route) => !known.has(route))).toEqual([]);
    const routes = new Set([...onTenant, ...onPlatform]);
    const listed = [BEFORE, BEFORE_PLATFORM, SIGNING, EXCEPTIONS, EXCEPTIONS_PLATFORM];
    const stale = listed.flatMap(Object.keys).filter((route) => !routes.has(route));
    expect(stale).toEqual([]);
  });

  const walked = onTenant.filter((name) => [CASES, OWN, SIGNING].some((of) => name in of));
  for (const route of walked.filter((name) => !(name in EXCEPTIONS))) {
    it(`${route}, in its tenant's trail`, async () => {
      const { [route]: signing } = SIGNING;
      const { [route]: one } = CASES;
      const { [route]: own } = OWN;
      const id = one === undefined ? "" : await one.make(acme);
      await BEFORE[route]?.(acme, id);
      const attempt: Asked = signing
        ? await signing(acme)
        : (one?.at(id) ?? own?.() ?? { path: "" });
      const entries = await ask(acme, attempt);
      expectNamed(entries, attempt.path, MADE_UNDER.has(route) ? [] : id.split("/"));
      const mine = entries.filter(({ result }) => result === "done");
      expect(new Set(mine.map(({ tenant_id: tenant }) => tenant))).toEqual(new Set([acme.id]));
      // The first key acts, unless the request carries a credential of its own.
      const itself = signing !== undefined || attempt.as !== undefined;
      const strangers = mine.filter(
        ({ actor_id: actor }) => !actor || (!itself && actor !== acme.keyId),
      );
      expect(strangers).toEqual([]);
    });
  }

  it(`${LEAVES}, in its tenant's trail`, async () => {
    const tenant = await provision("walked-out");
    const attempt = await LEAVING[LEAVES]?.(tenant);
    const [entry, ...others] = await ask(tenant, attempt ?? { path: "" });
    expect(others).toEqual([]);
    expect(entry).toMatchObject({ resource_id: tenant.id, actor_id: tenant.keyId });
  });

  it(`${SIGNING_UP}, in the trail of the tenant that it makes`, async () => {
    const { path, ...options } = SIGN_UP;
    const entries = await entriesOf((headers) => askPlatform(path, { ...options, headers }));
    const [{ tenant_id: tenant } = { tenant_id: "" }] = entries;
    expect(entries).toMatchObject([{ action: "tenant.provisioned", resource_id: tenant }]);
  });

  const recorded = onPlatform.filter((name) => !(name in EXCEPTIONS_PLATFORM));
  for (const route of recorded.filter((name) => name in PLATFORM)) {
    it(`${route}, in the trail of the tenant it is about`, async () => {
      const attempt = await PLATFORM[route]?.();
      const { path, headers, ...options } = attempt ?? { path: "" };
      await BEFORE_PLATFORM[route]?.(path);
      const entries = await entriesOf((more) =>
        askPlatform(path, { ...options, headers: { ...headers, ...more } }),
      );
      expectNamed(entries, path, path.match(/ten_[0-9a-z]{26}/g) ?? []);
      const actors = new Set(entries.map(({ actor_kind: kind }) => kind));
      expect(actors).toContain("platform");
    });
  }
});
