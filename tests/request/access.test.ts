/** Who may do what: roles, assignments, conditions and projects, by real requests (F19, F26, F39, F40, F44). */
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { app } from "../../workers/app.ts";
import { assign, newRole, personWith } from "../fixtures/access.ts";
import { CASES } from "../fixtures/isolation-cases.ts";
import { newClient, tokenOf } from "../fixtures/oauth.ts";
import { type Person, newPerson } from "../fixtures/people.ts";
import {
  type Ask,
  type TestTenant,
  deploy,
  newAgent,
  newKey,
  newWorld,
  shapeOf,
} from "../fixtures/world.ts";

let acme: TestTenant;
/** Live in dev and prod, in the project `crm`, tagged `eu`. */
let sales: string;
/** Live in prod, in the default project. */
let support: string;
let crm: string;

beforeAll(async () => {
  ({ acme } = await newWorld());
  crm = (await acme.json<{ id: string }>("/v1/projects", 201, { json: { slug: "crm", name: "C" } }))
    .id;
  sales = (await newAgent(acme, "sales")).id;
  const json = { project: "crm", tags: ["eu", "pii"] };
  await acme.json("/v1/agents/sales", 200, { method: "PATCH", headers: FIRST, json });
  support = (await newAgent(acme, "support")).id;
  await deploy(acme, sales);
  await deploy(acme, sales, { environment: "dev" });
  await deploy(acme, support);
}, 60_000);

afterEach(() => {
  vi.useRealTimers();
});

const FIRST = { "if-match": '"1"' };
const allow = (scopes: readonly string[], when?: object) => ({
  effect: "allow" as const,
  scopes,
  ...(when === undefined ? {} : { when }),
});
const deny = (scopes: readonly string[], when?: object) => ({
  ...allow(scopes, when),
  effect: "deny" as const,
});

const asks = (agent: string, body: object = {}, query = "") => ({
  path: `/a/${agent}/invoke${query}`,
  json: { input: "Where?", ...body },
});
type Asked = Ask & { readonly path: string };
const statusOf = async (who: Pick<Person, "ask">, { path, ...ask }: Asked) =>
  (await who.ask(path, ask)).status;

describe("F39, F44: by default nothing is allowed", { timeout: 30_000 }, () => {
  it("a member whose role allows one thing gets that and nothing else", async () => {
    const person = await personWith(acme, [allow(["agents:read"])]);
    expect(await statusOf(person, { path: "/v1/agents/sales" })).toBe(200);
    expect(await statusOf(person, asks("sales"))).toBe(403);
    for (const path of ["/v1/keys", "/v1/roles", "/v1/providers", "/v1/invocations"]) {
      expect([path, await statusOf(person, { path })]).toEqual([path, 403]);
    }
  });

  it("one denial outweighs every role that allows", async () => {
    const person = await newPerson(acme, "admin");
    expect(await statusOf(person, asks("sales"))).toBe(200);
    const id = await assign(acme, person.id, await newRole(acme, [deny(["agents:invoke"])]));
    expect(await statusOf(person, asks("sales"))).toBe(403);
    expect(await statusOf(person, { path: "/v1/agents/sales" })).toBe(200);
    await acme.json(`/v1/assignments/${id}`, 204, { method: "DELETE" });
    expect(await statusOf(person, asks("sales"))).toBe(200);
  });

  it("what may not be known of is answered as missing, what may be is refused", async () => {
    const elsewhere = { projects: ["default"] };
    const blind = await personWith(acme, [allow(["agents:*", "invocations:*"], elsewhere)]);
    for (const at of [
      (agent: string) => ({ path: `/v1/agents/${agent}` }),
      (agent: string) => asks(agent),
      (agent: string) => ({ path: `/v1/agents/${agent}/draft` }),
      (agent: string) => ({ path: "/v1/tickets", json: { agent } }),
      (agent: string) => ({ path: `/v1/access/explain?scope=agents:read&agent=${agent}` }),
    ]) {
      const { path: hidden, ...ask } = at("sales");
      const { path: none, ...asked } = at("nobody");
      const missing = await shapeOf(await blind.ask(none, asked));
      expect(missing.status).toBe(404);
      expect(await shapeOf(await blind.ask(hidden, ask))).toEqual(missing);
    }
    expect(await statusOf(blind, asks("support"))).toBe(200);
    const seeing = await personWith(acme, [
      allow(["agents:read"]),
      allow(["agents:invoke"], elsewhere),
    ]);
    expect(await statusOf(seeing, asks("sales"))).toBe(403);
  });
});

describe("F40: conditions of an invocation", { timeout: 30_000 }, () => {
  it("by environment", async () => {
    const person = await personWith(acme, [allow(["agents:invoke"], { environments: ["dev"] })]);
    expect(await statusOf(person, asks("sales", {}, "?environment=dev"))).toBe(200);
    expect(await statusOf(person, asks("sales"))).toBe(404);
  });

  it("by project, by tag and by agent", async () => {
    for (const when of [{ projects: ["crm"] }, { tags: { any: ["eu"] } }, { agents: ["sales"] }]) {
      const person = await personWith(acme, [allow(["agents:invoke"], when)]);
      expect([when, await statusOf(person, asks("sales"))]).toEqual([when, 200]);
      expect([when, await statusOf(person, asks("support"))]).toEqual([when, 404]);
    }
  });

  it("by owner: whoever made an agent has it, others have not", async () => {
    const statements = [
      allow(["agents:write"]),
      allow(["agents:*", "deployments:*"], { owners: ["self"] }),
    ];
    const person = await personWith(acme, statements);
    const made = await person.ask("/v1/agents", { json: { slug: "mine", name: "Mine" } });
    expect(await made.json()).toMatchObject({ owner_id: person.id });
    expect(await statusOf(person, { path: "/v1/agents/mine" })).toBe(200);
    expect(await statusOf(person, { path: "/v1/agents/sales" })).toBe(404);
    // A personal key is its owner's hand: what is the owner's is its own, and the other way round.
    const wanted = { name: "mine", scopes: ["agents:read", "agents:write"] };
    const key = await person.ask("/v1/users/me/api-keys", { json: wanted });
    const { secret: as } = await key.json<{ secret: string }>();
    expect((await acme.ask("/v1/agents/mine", { as })).status).toBe(200);
    expect((await acme.ask("/v1/agents/sales", { as })).status).toBe(404);
    const json = { slug: "by-hand", name: "By hand" };
    const byKey = await acme.json<{ owner_id: string }>("/v1/agents", 201, { as, json });
    expect(byKey.owner_id).toBe(person.id);
  });

  it("by time", async () => {
    const hour = 3_600_000;
    const clock = (ms: number) => new Date(ms).toISOString().slice(11, 16);
    const now = Date.now();
    const time = { from: clock(now - hour), to: clock(now + hour) };
    const person = await personWith(acme, [allow(["agents:invoke"], { time })]);
    expect(await statusOf(person, asks("sales"))).toBe(200);
    vi.useFakeTimers({ toFake: ["Date"], now: now + 2 * hour });
    expect(await statusOf(person, asks("sales"))).toBe(403); // at another hour it may
    vi.useRealTimers();
    const at = (ms: number) => new Date(ms).toISOString();
    const explain = async (ms: number) => {
      const path = `/v1/access/explain?scope=agents:invoke&agent=sales&at=${at(ms)}`;
      return (await (await person.ask(path)).json<Explained>()).allowed;
    };
    expect([await explain(now), await explain(now + 2 * hour)]).toEqual([true, false]);
  });

  it("by the arguments of the invocation, in its metadata and input", async () => {
    const person = await personWith(acme, [
      allow(["agents:invoke"], { arguments: [{ pointer: "/metadata/sum", max: 100 }] }),
      deny(["agents:invoke"], { arguments: [{ pointer: "/input", prefix: "Forget" }] }),
    ]);
    const spending = (sum: string, input = "Pay") => asks("sales", { input, metadata: { sum } });
    expect(await statusOf(person, spending("99.5"))).toBe(200);
    expect(await statusOf(person, spending("100.5"))).toBe(403); // it is known to be there
    expect(await statusOf(person, spending("1", "Forget all"))).toBe(403);
    expect(await statusOf(person, asks("sales"))).toBe(403); // nothing known of the sum
    const list = [{ role: "user", content: "Pay" }];
    // An input that is no text: nothing is known of its beginning, which excuses from no denial.
    const conversation = { input: list, metadata: { sum: "1" } };
    expect(await statusOf(person, asks("sales", conversation))).toBe(403);
    // A socket's words are not known when it opens.
    const ticket = { path: "/v1/tickets", json: { agent: "sales" } };
    expect(await statusOf(person, ticket)).toBe(403);
  });
});

describe("F40: what is listed and changed", { timeout: 30_000 }, () => {
  it("lists hold what may be seen, of agents, deployments, invocations and usage", async () => {
    const first = await acme.json<{ id: string }>(asks("sales").path, 200, asks("sales"));
    const when = { projects: ["crm"], environments: ["prod"] };
    const person = await personWith(acme, [
      allow(["agents:read"], { projects: ["crm"] }),
      allow(["deployments:read", "invocations:read", "usage:read"], when),
    ]);
    const slugs = (await listOf(person, "/v1/agents")).map(({ slug }) => slug);
    expect(slugs).toEqual(["sales"]);
    const deployed = await listOf(person, "/v1/agents/sales/deployments");
    expect(new Set(deployed.map(({ environment }) => environment))).toEqual(new Set(["prod"]));
    expect(await statusOf(person, { path: "/v1/agents/support/deployments" })).toBe(404);
    expect(await statusOf(person, { path: `/v1/invocations/${first.id}` })).toBe(200);
    const other = await acme.json<{ id: string }>(asks("support").path, 200, asks("support"));
    const theirs = await shapeOf(await person.ask(`/v1/invocations/${other.id}`));
    const none = await shapeOf(await person.ask("/v1/invocations/inv_00000000000000000000000000"));
    expect(theirs).toEqual(none);
    for (const path of ["/v1/invocations?limit=100", "/v1/usage?limit=100"]) {
      const seen = await listOf(person, path);
      expect(seen.every(({ environment }) => environment === "prod")).toBe(true);
      expect(seen.some(({ agent, agent_id }) => agent === "support" || agent_id === support)).toBe(
        false,
      );
    }
    expect(await statusOf(person, { path: "/v1/usage/totals" })).toBe(403);
  });

  it("agents are made in one's project and not moved out of it, nor past a denial", async () => {
    const person = await personWith(acme, [
      allow(["agents:*"], { projects: ["crm"] }),
      deny(["agents:write"], { tags: { any: ["frozen"] } }),
    ]);
    const make = (slug: string, part: object) =>
      statusOf(person, { path: "/v1/agents", json: { slug, name: slug, ...part } });
    expect(await make("in-default", {})).toBe(403);
    expect(await make("in-other", { project: "default" })).toBe(422);
    expect(await make("born-frozen", { project: "crm", tags: ["frozen"] })).toBe(422);
    expect(await make("in-crm", { project: "crm" })).toBe(201);
    const change = (json: object) =>
      statusOf(person, { path: "/v1/agents/in-crm", method: "PATCH", headers: FIRST, json });
    expect(await change({ project: "default" })).toBe(422);
    expect(await change({ tags: ["frozen"] })).toBe(403);
    expect(await change({ tags: ["warm"] })).toBe(200);
    await acme.json("/v1/agents/in-crm", 200, {
      method: "PATCH",
      headers: { "if-match": '"2"' },
      json: { tags: ["frozen"] },
    });
    const thaw = { method: "PATCH", headers: { "if-match": '"3"' }, json: { tags: [] } };
    expect(await statusOf(person, { path: "/v1/agents/in-crm", ...thaw })).toBe(403);
  });

  it("F19: a key narrowed to a project sees that project's agents and nothing of others", async () => {
    const json = {
      name: "crm",
      scopes: ["agents:read", "agents:write", "agents:invoke", "keys:read"],
    };
    const made = await acme.json<{ secret: string }>("/v1/keys", 201, {
      json: { ...json, project: "crm" },
    });
    const key = {
      ask: (path: string, ask: Ask = {}) => acme.ask(path, { ...ask, as: made.secret }),
    };
    expect((await listOf(key, "/v1/agents")).every(({ project_id }) => project_id === crm)).toBe(
      true,
    );
    expect(await statusOf(key, asks("sales"))).toBe(200);
    expect(await statusOf(key, asks("support"))).toBe(404);
    expect(await statusOf(key, { path: "/v1/agents/support" })).toBe(404);
    expect(await statusOf(key, { path: "/v1/keys" })).toBe(403);
    const agent = { slug: "by-key", name: "By key", project: "crm" };
    expect(await statusOf(key, { path: "/v1/agents", json: agent })).toBe(201);
  });
});

describe("F26: giving access", { timeout: 30_000 }, () => {
  it("nobody gives more than they hold, whatever the conditions", async () => {
    const person = await personWith(acme, [
      allow(["roles:*", "keys:write"]),
      allow(["agents:invoke"], { environments: ["dev"] }),
    ]);
    const role = (slug: string, statement: object) =>
      statusOf(person, { path: "/v1/roles", json: { slug, name: slug, statements: [statement] } });
    expect(await role("too-wide", allow(["agents:invoke"]))).toBe(403);
    expect(await role("too-many", allow(["agents:*"], { environments: ["dev"] }))).toBe(403);
    expect(await role("in-dev", allow(["agents:invoke"], { environments: ["dev"] }))).toBe(201);
    expect(await role("less", deny(["*"]))).toBe(201);
    const other = await newPerson(acme, "viewer");
    const give = (json: object) =>
      statusOf(person, { path: "/v1/assignments", json: { principal: other.id, ...json } });
    expect(await give({ role: "admin" })).toBe(403);
    expect(await give({ role: "invoker" })).toBe(403);
    expect(await give({ role: "in-dev" })).toBe(201);
    const key = (json: object) =>
      statusOf(person, {
        path: "/v1/keys",
        json: { name: "k", scopes: ["agents:invoke"], ...json },
      });
    expect(await key({})).toBe(403);
    expect(await key({ environment: "prod" })).toBe(403);
    expect(await key({ environment: "dev" })).toBe(201);
  });

  it("what somebody was assigned is not taken from them with their membership", async () => {
    const hr = await newRole(acme, [allow(["members:*", "tenant:read"])]);
    const [person, peer] = [await newPerson(acme, hr), await newPerson(acme, hr)];
    const members = await acme.json<{ data: { id: string; user_id: string }[] }>(
      "/v1/members?limit=100",
      200,
    );
    const path = `/v1/members/${members.data.find(({ user_id }) => user_id === peer.id)?.id}`;
    const removal = { path, method: "DELETE", headers: FIRST };
    const assignment = await assign(acme, peer.id, "admin");
    expect(await statusOf(person, removal)).toBe(403);
    await acme.json(`/v1/assignments/${assignment}`, 204, { method: "DELETE" });
    expect(await statusOf(person, removal)).toBe(204);
  });

  it("F40: S2's names of permissions are taken, and answered as scopes", async () => {
    const scopes = ["create", "read", "update", "delete", "invoke"];
    const named = scopes.map((verb) => `${verb}:external_agent`);
    const json = { slug: "s2", name: "S2", statements: [allow([...named, "agents:*"])] };
    const role = await acme.json<{ statements: { scopes: string[] }[] }>("/v1/admin/roles", 201, {
      json,
    });
    const canonical = scopes.map((verb) => `external-agents:${verb}`);
    expect(role.statements[0]?.scopes).toEqual([...canonical, "agents:*"]);
    for (const scope of ["tenants:read", "agents", "agents:fly", "list:external_agent", "**"]) {
      const wrong = { slug: "wrong", name: "W", statements: [allow([scope])] };
      expect([scope, (await acme.ask("/v1/roles", { json: wrong })).status]).toEqual([scope, 422]);
    }
  });

  it("F26: an app client holds its own scopes and what it is assigned", async () => {
    const client = await newClient(acme, ["agents:read"]);
    const as = async () => ({ as: await tokenOf(acme, client) });
    expect((await acme.ask("/v1/roles", await as())).status).toBe(403);
    await assign(acme, client.id, "viewer");
    expect((await acme.ask("/v1/roles", await as())).status).toBe(200);
    await assign(
      acme,
      client.id,
      await newRole(acme, [deny(["agents:read"], { projects: ["crm"] })]),
    );
    expect((await acme.ask("/v1/agents/support", await as())).status).toBe(200);
    expect((await acme.ask("/v1/agents/sales", await as())).status).toBe(404);
    const held = `/v1/assignments?principal=${client.id}`;
    expect((await acme.json<{ data: unknown[] }>(held, 200)).data).toHaveLength(2);
    await acme.json(`/v1/clients/${client.id}`, 204, { method: "DELETE", headers: FIRST });
    expect(await acme.json(held, 200)).toMatchObject({ data: [] });
  });

  it("an assignment ends by itself, in the place it was made for", async () => {
    const person = await personWith(acme, [allow(["projects:read"])]);
    const expires_at = new Date(Date.now() + 3_600_000).toISOString();
    await assign(acme, person.id, "developer", { project: "crm", expires_at });
    expect(await statusOf(person, asks("sales"))).toBe(200);
    expect(await statusOf(person, asks("support"))).toBe(404);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_001 });
    expect(await statusOf(person, asks("sales"))).toBe(404);
  });

  it("F26: permissions are the closed list, with words", async () => {
    const { data } = await acme.json<{ data: { scope: string; description: string }[] }>(
      "/v1/admin/permissions",
      200,
    );
    expect(data.map(({ scope }) => scope)).toContain("external-agents:invoke");
    expect(data.filter(({ scope }) => scope.startsWith("tenants:"))).toEqual([]);
    expect(data.every(({ description }) => description.length > 5)).toBe(true);
  });
});

describe("F39, F44: what is explained is what routes do", { timeout: 60_000 }, () => {
  it("for several principals and every probe, whose answers it also explains", async () => {
    const plain = await newKey(acme, { scopes: ["agents:read", "agents:invoke"] });
    const inDev = await newKey(acme, { environment: "dev" });
    const ofSales = await newKey(acme, { agent: "sales" });
    const people = await Promise.all([
      newPerson(acme, "admin"),
      newPerson(acme, "developer"),
      newPerson(acme, "viewer"),
      newPerson(acme, "invoker"),
      personWith(acme, [allow(["*"]), deny(["agents:*"], { tags: { any: ["pii"] } })]),
      personWith(acme, [allow(["agents:*", "deployments:*"], { environments: ["dev"] })]),
      personWith(acme, [allow(["*"], { projects: ["crm"] }), allow(["agents:read"])]),
      personWith(acme, [allow(["*"], { arguments: [{ pointer: "/metadata/ok", equals: "yes" }] })]),
      personWith(acme, [
        allow(["*"]),
        deny(["*"], { time: { not_after: "2020-01-01T00:00:00Z" } }),
      ]),
    ]);
    const callers = [
      ...people.map(({ ask }) => ask),
      ...[plain, inDev, ofSales].map(
        (as) =>
          (path: string, options: Ask = {}) =>
            acme.ask(path, { ...options, as }),
      ),
    ];
    const wrong: unknown[] = [];
    const seen = new Set<boolean>();
    for (const [index, ask] of callers.entries()) {
      for (const { question, path, ...request } of probes()) {
        const told = await ask(`/v1/access/explain?${question}`);
        const allowed = told.status === 200 && (await told.json<Explained>()).allowed;
        const { status } = await ask(path, request);
        const answered = status >= 200 && status < 300;
        seen.add(answered);
        if (allowed !== answered) wrong.push([index, question, path, told.status, status]);
      }
    }
    expect(wrong).toEqual([]);
    expect(seen).toEqual(new Set([true, false]));
  });

  it("names the statement that decided, and asks roles:read for somebody else", async () => {
    const person = await personWith(acme, [
      allow(["agents:*"]),
      deny(["agents:invoke"], { environments: ["prod"] }),
    ]);
    const query = `scope=agents:invoke&agent=${sales}&environment=prod`;
    const mine = await (await person.ask(`/v1/access/explain?${query}`)).json();
    expect(mine).toMatchObject({
      allowed: false,
      reason: "denied",
      by: { effect: "deny", statement: 1, when: { environments: ["prod"] } },
      resource: { agent_id: sales, project_id: crm, tags: ["eu", "pii"], environment: "prod" },
      statements: [{ outcome: "met" }, { outcome: "met" }],
    });
    const about = `/v1/access/explain?${query}&principal=${person.id}`;
    expect(await acme.json(about, 200)).toMatchObject({ allowed: false, by: { statement: 1 } });
    const other = await newPerson(acme, "invoker");
    expect(await statusOf(other, { path: about })).toBe(403);
    const nobody = "usr_00000000000000000000000000";
    expect((await acme.ask(`/v1/access/explain?${query}&principal=${nobody}`)).status).toBe(404);
  });

  it("F44: no route about agents does anything for who is held to another agent", async () => {
    const person = await personWith(acme, [allow(["*"], { agents: ["support"] })]);
    const about = new Set(
      app
        .routes()
        .filter(({ scope }) => /^(?:agents|deployments|invocations|usage|sessions):/.test(scope))
        .map(({ method, path }) => `${method} ${path}`),
    );
    const reached: unknown[] = [];
    for (const [route, { make, at }] of Object.entries(CASES)) {
      if (!about.has(route)) continue;
      const { path, ...ask } = at(await make(acme));
      const { status } = await person.ask(path, ask);
      if (![403, 404].includes(status)) reached.push([route, status]);
    }
    expect(reached).toEqual([]);
  });
});

type Explained = { readonly allowed: boolean };

/** Requests that change nothing, or nothing that matters here, each with its question. */
function probes(): readonly (Asked & { readonly question: string })[] {
  const metadata = { ok: "yes" };
  const ok = encodeURIComponent(JSON.stringify({ input: "Where?", metadata }));
  return [
    ...["sales", "support"].flatMap((agent) => [
      { question: `scope=agents:read&agent=${agent}`, path: `/v1/agents/${agent}` },
      { question: `scope=agents:read&agent=${agent}`, path: `/v1/agents/${agent}/draft` },
      deploying(agent, "dev"),
      deploying(agent, "prod"),
      {
        question: `scope=agents:invoke&agent=${agent}&environment=prod&arguments=${ok}`,
        path: `/a/${agent}/invoke`,
        json: { input: "Where?", metadata },
      },
      {
        question: `scope=agents:invoke&agent=${agent}&environment=prod`,
        path: "/v1/tickets",
        json: { agent },
      },
    ]),
    { question: "scope=roles:read", path: "/v1/roles" },
    { question: "scope=keys:read", path: "/v1/keys" },
    { question: "scope=members:read", path: "/v1/members" },
    { question: "scope=providers:read", path: "/v1/providers" },
    { question: "scope=projects:read", path: "/v1/projects" },
    { question: "scope=audit:read", path: "/v1/audit" },
    { question: "scope=projects:write", path: "/v1/projects", json: { slug: unique(), name: "P" } },
    {
      question: "scope=agents:write&project=crm&tags=&owner=self",
      path: "/v1/agents",
      json: { slug: unique(), name: "A", project: "crm" },
    },
  ];
}

function deploying(agent: string, environment: string) {
  return {
    question: `scope=deployments:write&agent=${agent}&environment=${environment}`,
    path: `/v1/agents/${agent}/deployments`,
    json: { version: 1, environment },
  };
}

let made = 0;

function unique(): string {
  made += 1;
  return `unique-${made}`;
}

async function listOf(
  who: Pick<Person, "ask">,
  path: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const answer = await who.ask(path);
  expect(answer.status).toBe(200);
  return (await answer.json<{ data: Record<string, unknown>[] }>()).data;
}
