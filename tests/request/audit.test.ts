import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AuditEntry, Checkpoint, Verification } from "../../core/audit/contract.ts";
import { followChain } from "../../core/audit/verify.ts";
import { gateName } from "../../durable-objects/tenant-gate/contract.ts";
import { gateOf } from "../../workers/api/gate.ts";
import { EVERY_MINUTE } from "../../workers/jobs/cron.ts";
import worker from "../../workers/main.ts";
import {
  type TestTenant,
  deploy,
  newAgent,
  newKey,
  newWorld,
  provision,
  request,
} from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;

beforeEach(async () => {
  ({ acme, globex } = await newWorld());
});
afterEach(() => {
  vi.restoreAllMocks();
});

const trail = async (tenant: TestTenant, query = "") =>
  (await tenant.json<{ data: AuditEntry[] }>(`/v1/audit?limit=100${query}`, 200)).data;
const verify = (tenant: TestTenant, query = "") =>
  tenant.json<Verification>(`/v1/audit/verify${query}`, 200);
const sweep = () => worker.scheduled({ cron: EVERY_MINUTE }, env);

/** Everything that waits is chained, whatever was woken meanwhile. */
const chained = (tenant: TestTenant) => gateOf(env, tenant.id).chain(tenant.id);

async function invoked(tenant: TestTenant): Promise<string> {
  const { id } = await newAgent(tenant, "support");
  await deploy(tenant, id);
  const json = { input: "Where is the office?" };
  return (await tenant.json<{ id: string }>("/a/support/invoke", 200, { json })).id;
}

describe("the audit trail", () => {
  it("F171: says who did what to which resource, from where, by which request", async () => {
    const headers = { "cf-connecting-ip": "192.0.2.7", "x-request-id": "req_of_mine_1" };
    const json = { slug: "support", name: "Support" };
    const made = await acme.json<{ id: string }>("/v1/agents", 201, { json, headers });
    const [entry] = await trail(acme, "&action=agent.created");
    expect(entry).toMatchObject({
      tenant_id: acme.id,
      actor: { kind: "key", id: acme.keyId },
      address: "192.0.2.7",
      resource: { kind: "agent", id: made.id },
      result: "done",
      before_digest: null,
      after_digest: expect.stringMatching(/^[\w-]{43}$/),
    });
    expect(await acme.json(`/v1/audit/${entry?.id ?? ""}`, 200)).toMatchObject({ id: entry?.id });
    expect(await trail(globex, "&action=agent.created")).toEqual([]);
  });

  it("F171: has provisioning, agents, drafts, versions, deployments and their transitions", async () => {
    const { id } = await newAgent(acme, "support");
    await deploy(acme, id);
    const again = { method: "PUT", headers: { "if-match": '"1"' } };
    const spec = { kind: "llm", instructions: "Other." };
    await acme.json(`/v1/agents/${id}/draft`, 200, { ...again, json: spec });
    await acme.json(`/v1/agents/${id}/publish`, 201, { method: "POST" });
    await deploy(acme, id, { version: 2 });
    const patch = { method: "PATCH", headers: { "if-match": '"1"' }, json: { name: "Other" } };
    await acme.json(`/v1/agents/${id}`, 200, patch);
    const gone = { method: "DELETE", headers: { "if-match": '"2"' } };
    await acme.json(`/v1/agents/${id}`, 204, gone);
    const told = (await trail(acme)).toReversed().map(({ action, actor }) => [action, actor.kind]);
    const mine = told.filter(([action = ""]) =>
      /^(tenant|agent|draft|version|deploy)/.test(action),
    );
    expect(mine).toEqual([
      ["tenant.provisioned", "platform"],
      ["agent.created", "key"],
      ["version.published", "key"],
      ["deployment.created", "key"],
      ["deployment.building", "system"],
      ["deployment.live", "system"],
      ["draft.replaced", "key"],
      ["version.published", "key"],
      ["deployment.created", "key"],
      ["deployment.building", "system"],
      ...expectEither("deployment.live", "deployment.superseded", told),
      ["agent.updated", "key"],
      ["agent.deleted", "key"],
    ]);
  });

  it("F37: revoking a key has its entry, once", async () => {
    const json = { name: "other", scopes: ["agents:read"] };
    const { id } = await acme.json<{ id: string }>("/v1/keys", 201, { json });
    for (let n = 0; n < 2; n += 1) {
      await acme.json(`/v1/keys/${id}/revoke`, 200, { method: "POST" });
    }
    expect(await trail(acme, "&action=key.revoked")).toMatchObject([
      { actor: { kind: "key", id: acme.keyId }, resource: { kind: "key", id }, result: "done" },
    ]);
  });

  it("F171: a change that missed leaves no entry", async () => {
    const { id } = await newAgent(acme, "support");
    const before = await trail(acme);
    const stale = { method: "PATCH", headers: { "if-match": '"9"' }, json: { name: "Other" } };
    expect((await acme.ask(`/v1/agents/${id}`, stale)).status).toBe(412);
    const taken = { json: { slug: "support", name: "Again" } };
    expect((await acme.ask("/v1/agents", taken)).status).toBe(409);
    const nothing = { json: { version: 9, environment: "prod" } };
    expect((await acme.ask(`/v1/agents/${id}/deployments`, nothing)).status).toBe(422);
    expect((await trail(acme)).map(({ id: of }) => of)).toEqual(before.map(({ id: of }) => of));
  });

  it("F105: has every access to stored requests, and none of what is not there", async () => {
    const id = await invoked(acme);
    const reader = await newKey(acme, { scopes: ["invocations:read"] });
    const as = { as: reader };
    await acme.json(`/v1/invocations/${id}`, 200, as);
    await acme.json(`/v1/invocations/${id}/steps`, 200, as);
    await (await acme.ask(`/v1/invocations/${id}/events`, as)).text();
    await acme.json("/v1/invocations?status=succeeded", 200, as);
    expect((await acme.ask(`/v1/invocations/inv_${"0".repeat(26)}`, as)).status).toBe(404);
    const theirs = await globex.ask(`/v1/invocations/${id}`);
    expect(theirs.status).toBe(404);
    const reads = (await trail(acme)).filter(({ action }) => action.startsWith("invocation."));
    expect(
      reads.toReversed().map(({ action, resource, detail }) => [action, resource.id, detail]),
    ).toMatchObject([
      ["invocation.read", id, null],
      ["invocation.read", id, { part: "steps" }],
      ["invocation.read", id, { part: "events", after: 0 }],
      ["invocation.listed", "*", { query: expect.stringMatching(/^[\w-]{43}$/) }],
    ]);
    expect(new Set(reads.map(({ actor }) => actor.id)).size).toBe(1);
    expect(await trail(globex)).not.toContainEqual(
      expect.objectContaining({ resource: { kind: "invocation", id } }),
    );
  });

  it("F105: what is asked of an object is written before it is asked, refusals after", async () => {
    const id = await invoked(acme);
    expect((await acme.ask(`/v1/invocations/${id}/cancel`, { method: "POST" })).status).toBe(409);
    await acme.json(`/v1/invocations/${id}/retry`, 202, { method: "POST" });
    const told = (await trail(acme)).filter(({ action }) => action.endsWith("_requested"));
    expect(told.map(({ action, result, detail }) => [action, result, detail])).toEqual([
      ["invocation.retry_requested", "done", null],
      ["invocation.cancel_requested", "refused", { code: "conflict" }],
      ["invocation.cancel_requested", "done", null],
    ]);
  });

  it("F171: has refused attempts of those who are known, once for a hammering one", async () => {
    const weak = await newKey(acme, { scopes: ["agents:read"] });
    const { id } = await newAgent(acme, "support");
    const attempt = { method: "DELETE", as: weak, headers: { "if-match": '"1"' } };
    for (let n = 0; n < 3; n += 1) {
      expect((await acme.ask(`/v1/agents/${id}`, attempt)).status).toBe(403);
    }
    const refused = await trail(acme, "&result=refused");
    expect(refused).toMatchObject([
      {
        action: "request.refused",
        actor: { kind: "key" },
        resource: { kind: "route", id: "DELETE /v1/agents/:id" },
        detail: { code: "forbidden" },
      },
    ]);
    expect((await request(acme.origin, `/v1/agents/${id}`)).status).toBe(401);
    expect(await trail(acme, "&result=refused")).toHaveLength(1);
  });

  it("F171: holds ids, and nobody's name, address or secret", async () => {
    await invoked(acme);
    const made = await acme.json<{ secret: string }>("/v1/keys", 201, {
      json: { name: "Bo's laptop", scopes: ["agents:read"] },
    });
    const everything = await (await acme.ask("/v1/audit/export")).text();
    for (const said of ["Ada", "admin@acme.example", "Bo's laptop", made.secret, acme.key]) {
      expect(everything).not.toContain(said);
    }
  });
});

describe("the chain of a tenant", () => {
  it("F171, K13: is made by its gate soon after a change, and verifies", async () => {
    await newAgent(acme, "support");
    await chained(acme);
    const told = await verify(acme);
    expect(told).toMatchObject({ verified: true, unchained: 0, next_from: null });
    expect(told.entries).toBeGreaterThan(2);
    expect(told.checkpoints).toBeGreaterThan(0);
    const { head } = await gateOf(env, acme.id).head(acme.id);
    expect(told.head).toEqual(head);
  });

  it("F171: the sweep chains what nobody woke the gate for", async () => {
    await chained(acme);
    const { results } = await env.DB.prepare("SELECT id FROM audit LIMIT 1").all();
    expect(results).toHaveLength(1);
    const fresh = await provision("initech"); // by the platform: nothing wakes the tenant's gate
    expect((await verify(fresh)).unchained).toBeGreaterThan(0);
    await sweep();
    expect(await verify(fresh)).toMatchObject({ verified: true, unchained: 0 });
  });

  it("F171: a fault of the gate costs nobody an answer", async () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    await chained(acme);
    await runInDurableObject(env.TENANT_GATE.getByName(gateName(acme.id)), (_gate, { storage }) =>
      storage.sql.exec("DROP TABLE chain"),
    );
    await newAgent(acme, "support");
    await newAgent(globex, "support");
    await sweep();
    expect(await verify(globex)).toMatchObject({ verified: true, unchained: 0 });
    expect(await trail(acme, "&action=agent.created")).toMatchObject([{ seq: null }]);
  });

  it("F171, K13: one changed byte, a deleted, a moved and a cut-off entry are named", async () => {
    await newAgent(acme, "support");
    await newAgent(acme, "sales");
    await chained(acme);
    const { head } = await verify(acme);
    const at = (head?.seq ?? 0) - 2;
    const row = await env.DB.prepare("SELECT * FROM audit WHERE tenant_id = ? AND seq = ?")
      .bind(acme.id, at)
      .first<{ id: string; action: string }>();
    const set = (action: string) =>
      env.DB.prepare("UPDATE audit SET action = ? WHERE id = ?").bind(action, row?.id).run();
    await set(`${row?.action.slice(0, -1)}D`);
    expect(await verify(acme)).toMatchObject({
      verified: false,
      fault: { seq: at, id: row?.id, what: "altered" },
    });
    await set(row?.action ?? "");
    expect(await verify(acme)).toMatchObject({ verified: true });
    await env.DB.prepare("DELETE FROM audit WHERE tenant_id = ? AND seq = ?")
      .bind(acme.id, head?.seq)
      .run();
    expect(await verify(acme)).toMatchObject({
      verified: false,
      fault: { seq: head?.seq, id: null, what: "missing" },
    });
    await env.DB.prepare("DELETE FROM audit WHERE tenant_id = ?").bind(acme.id).run();
    expect(await verify(acme)).toMatchObject({ fault: { seq: 1, id: null, what: "missing" } });
  });

  it("K13: a checkpoint on request has its own entry in it and is proof outside", async () => {
    await newAgent(acme, "support");
    const signed = await acme.json<Checkpoint>("/v1/audit/checkpoints", 201, { method: "POST" });
    const { data } = await acme.json<{ data: Checkpoint[] }>("/v1/audit/checkpoints", 200);
    expect(data[0]).toEqual(signed);
    expect(await trail(acme, "&action=audit.checkpointed")).toMatchObject([{ seq: signed.seq }]);
    expect(await verify(acme, `?from=${signed.seq}`)).toMatchObject({ verified: true });
    expect((await acme.ask("/v1/audit/verify?from=1000000")).status).toBe(404);
  });
});

describe("exporting the trail", () => {
  it("F171, K13: lines verify outside, against the head", async () => {
    await newAgent(acme, "support");
    await chained(acme);
    const { head } = await verify(acme);
    const answer = await acme.ask("/v1/audit/export");
    expect(answer.headers.get("content-type")).toBe("application/x-ndjson");
    expect(answer.headers.get("content-disposition")).toMatch(/audit-\d{4}-\d\d-\d\d\.ndjson/);
    const lines = (await answer.text()).trimEnd().split("\n");
    const entries = lines.map((line) => JSON.parse(line) as AuditEntry);
    const marks = new Map(head === null ? [] : [[head.seq, head.hash]]);
    expect(await followChain(entries, null, marks)).toMatchObject({ marks: 1, unchained: 1 });
    expect(entries.at(-1)).toMatchObject({ action: "audit.exported", seq: null });
  });

  it("F171: JSON is one array, filters hold", async () => {
    await newAgent(acme, "support");
    const answer = await acme.ask("/v1/audit/export?format=json&action=agent.created");
    const entries = await answer.json<AuditEntry[]>();
    expect(entries.map(({ action }) => action)).toEqual(["agent.created"]);
    const none = await acme.ask("/v1/audit/export?format=json&action=no.such");
    expect(await none.json()).toEqual([]);
  });

  it("F171: a sheet runs nothing of what somebody wrote", async () => {
    const evil = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", 'a"b,c\r\nd'];
    for (const [n, text] of evil.entries()) {
      await env.DB.prepare(
        `INSERT INTO audit (tenant_id, id, at_ms, action, actor_kind, actor_id, resource_kind, resource_id, result)
         VALUES (?, ?, ?, 'x.y', 'key', ?, 'thing', ?, 'done')`,
      )
        .bind(acme.id, `aud_evil${n}`, Date.now(), text, text)
        .run();
    }
    const answer = await acme.ask("/v1/audit/export?format=csv&action=x.y");
    expect(answer.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    const text = await answer.text();
    for (const start of ["=", "+", "-", "@", "\t"]) expect(text).not.toContain(`"${start}`);
    expect(text).toContain(`"'=1+1"`);
    expect(text).toContain('"a""b,c\r\nd"');
    const [head] = text.split("\r\n");
    expect(head?.split(",")).toHaveLength(16);
  });
});

/** A swap writes both in one batch; which one stands first is by chance of their ids. */
function expectEither(a: string, b: string, told: readonly (readonly string[])[]) {
  const at = told.findLastIndex(([action]) => action === a);
  const other = told.findLastIndex(([action]) => action === b);
  const both = [
    [a, "system"],
    [b, "system"],
  ];
  return at < other ? both : both.toReversed();
}
