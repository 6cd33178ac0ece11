/** What a tenant's file holds, who gets it, and what of it nobody gets. */
import { createHash } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import type { Transfer } from "../../core/transfer/contract.ts";
import { addProvider, liveAgent, release, MODEL_SERVER, seenBy } from "../fixtures/agent-runs.ts";
import { exportOf, linesOf, setStatus } from "../fixtures/moving.ts";
import { type TestTenant, askPlatform, newKey, newWorld } from "../fixtures/world.ts";

const PASSPHRASE = "correct horse battery staple";

let acme: TestTenant;
let globex: TestTenant;

beforeEach(async () => {
  ({ acme, globex } = await newWorld());
});

const path = ({ id }: TestTenant) => `/v1/tenants/${id}/export`;

describe("a tenant's file", { timeout: 60_000 }, () => {
  it("F15: is taken from a suspended tenant alone, on both hosts", async () => {
    const refused = await askPlatform(path(acme), { method: "POST" });
    expect([refused.status, await refused.json()]).toMatchObject([409, { code: "conflict" }]);
    expect((await acme.ask("/v1/tenant/export", { method: "POST" })).status).toBe(409);
    await setStatus(acme, "suspend");
    expect(linesOf(await exportOf(acme)).at(-1)).toMatchObject({ manifest: { tenant: acme.id } });
    const own = await acme.ask("/v1/tenant/export", { method: "POST" });
    expect(own.status).toBe(200);
    expect(own.headers.get("content-type")).toBe("application/x-ndjson");
    const text = new TextDecoder().decode(await own.arrayBuffer());
    expect(linesOf(text)[0]).toEqual({
      berth: "tenant",
      format: 1,
      secrets: "left_out",
      tenant: acme.id,
    });
  });

  it("F15: needs the scope, and a credential of the whole tenant", async () => {
    const less = await newKey(acme, { scopes: ["tenant:read", "tenant:erase"] });
    const narrowed = await newKey(acme, { environment: "prod" });
    await setStatus(acme, "suspend");
    for (const as of [less, narrowed]) {
      const answer = await acme.ask("/v1/tenant/export", { method: "POST", as });
      expect(answer.status).toBe(403);
    }
  });

  it("F15: says how much of what it holds, under a digest of everything before", async () => {
    await liveAgent(acme, "support", { model: "local/extract" });
    await setStatus(acme, "suspend");
    const text = await exportOf(acme);
    const lines = text.split("\n").slice(0, -1);
    const before = `${lines.slice(0, -1).join("\n")}\n`;
    const counts: Record<string, number> = {};
    for (const { t } of linesOf(before)) {
      if (typeof t === "string") counts[t] = (counts[t] ?? 0) + 1;
    }
    expect(linesOf(text).at(-1)).toEqual({
      manifest: {
        tenant: acme.id,
        tables: counts,
        objects: 2,
        object_rows: expect.objectContaining({ chain: 1 }),
        lines: lines.length - 1,
        sha256: createHash("sha256").update(before).digest("hex"),
      },
    });
    expect(counts).toMatchObject({ tenant: 1, agent: 1, version: 1, environment: 3 });
    expect(text).not.toContain(globex.id);
  });

  it("F15, F190: holds no secret but under the passphrase, and then none in clear", async () => {
    const canary = "sk-canary-5521";
    const base_url = `${MODEL_SERVER}/v1`;
    const provider = { slug: "openai", kind: "openai", base_url, api_key: canary };
    await acme.json("/v1/providers", 201, { json: provider });
    await acme.json("/v1/secrets", 201, { json: { name: "CRM", value: canary } });
    await setStatus(acme, "suspend");
    const bare = await exportOf(acme);
    const wrapped = await exportOf(acme, { json: { passphrase: PASSPHRASE } });
    for (const text of [bare, wrapped]) {
      expect(text).not.toContain(canary);
      expect(text).not.toContain(PASSPHRASE);
      expect(text).not.toContain("console_session");
      expect(text).not.toMatch(/"v[12]\.[\w-]+\.[\w-]{16}\./); // sealed under our own keys
    }
    const keyOf = (text: string) =>
      linesOf(text).flatMap(({ t, r }) => (t === "provider" ? [Object(r).sealed_key] : []));
    expect(keyOf(bare)).toEqual([null]);
    expect(keyOf(wrapped)).toEqual([expect.stringMatching(/^x1\.[\w-]{16}\.[\w-]{30,}$/)]);
    const other = await exportOf(acme, { json: { passphrase: `${PASSPHRASE}!` } });
    expect(keyOf(other)).not.toEqual(keyOf(wrapped));
    const weak = await askPlatform(path(acme), { json: { passphrase: "short" } });
    expect(weak.status).toBe(422);
  });

  it("F15: leaves a record of who took it, and an entry in the trail", async () => {
    await setStatus(acme, "suspend");
    const answer = await askPlatform(path(acme), { method: "POST" });
    const at = answer.headers.get("content-location") ?? "";
    const sizeBytes = (await answer.arrayBuffer()).byteLength;
    const record: Transfer = await (await askPlatform(at)).json();
    expect(record).toMatchObject({ kind: "export", status: "done", tenant_id: acme.id });
    expect(record.size_bytes).toBeLessThan(sizeBytes);
    expect(record.sha256).toMatch(/^[0-9a-f]{64}$/);
    await setStatus(acme, "reactivate");
    const { data } = await acme.json<{ data: { action: string; actor: object }[] }>(
      "/v1/audit?action=tenant.exported",
      200,
    );
    expect(data).toMatchObject([{ action: "tenant.exported", actor: { id: "platform" } }]);
  });

  it("F15: that is broken off is recorded as that", async () => {
    await liveAgent(acme, "support", { model: "local/extract", instructions: "x".repeat(200_000) });
    await setStatus(acme, "suspend");
    const answer = await askPlatform(path(acme), { method: "POST" });
    const at = answer.headers.get("content-location") ?? "";
    const reader = answer.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    const statusOf = async () => (await (await askPlatform(at)).json<Transfer>()).status;
    await expect.poll(statusOf).toBe("failed");
  });

  it("F15: takes an agent at rest: what was open is open in it, and goes on afterwards", async () => {
    await addProvider(acme);
    const agent = await liveAgent(acme, "support");
    const { id } = await agent.start("[[hold]] Wait for me");
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 1);
    await setStatus(acme, "suspend");
    const text = await exportOf(acme);
    const open = linesOf(text).flatMap(({ o, r }) => (o === "invocation" ? [r] : []));
    expect(open).toMatchObject([{ id, status: "accepted", completed_ms: null }]);
    await release(MODEL_SERVER);
    expect((await agent.rows("SELECT status FROM invocation"))[0]).toEqual({ status: "accepted" });
    await setStatus(acme, "reactivate");
    await agent.get(id); // knocked at, as by anybody or the sweep
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 2);
    await release(MODEL_SERVER);
    expect(await agent.ended(id)).toMatchObject({ id, status: "succeeded" });
  });
});
