/** A tenant moves: out of one platform as one file, into another, and is what it was. */
import { applyD1Migrations, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { ImportedTenant } from "../../core/transfer/contract.ts";
import { beginTransfer } from "../../core/transfer/store.ts";
import { runtimeOf } from "../../workers/api/runtime.ts";
import { endStalled } from "../../workers/jobs/import.ts";
import { lifeJob } from "../../workers/jobs/life.ts";
import { addProvider, liveAgent, MODEL_SERVER, seenBy } from "../fixtures/agent-runs.ts";
import { erasedBy, exportOf, importFile, linesOf, setStatus } from "../fixtures/moving.ts";
import { type TestTenant, askPlatform, newKey, newWorld, provision } from "../fixtures/world.ts";

const PASSPHRASE = "correct horse battery staple";
const OPENED = `${JSON.stringify({ passphrase: PASSPHRASE })}\n`;

let acme: TestTenant;

beforeEach(async () => {
  ({ acme } = await newWorld());
});

/** Another platform: none of the rows and none of the objects, but the same configuration. */
async function elsewhere(): Promise<void> {
  await reset();
  await applyD1Migrations(env.DB, env.TEST_MIGRATIONS);
}

async function arrived(text: string, query = "") {
  const answer = await importFile(text, query);
  const body: unknown = await answer.json();
  expect([answer.status, body]).toMatchObject([201, {}]);
  return ImportedTenant.parse(body);
}

/** Rows of this tenant that are no record of a transfer. */
async function rowsOf(id: string): Promise<number> {
  const scope = env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%\"tenant_id\"%' AND name <> 'transfer'",
  );
  let rows = 0;
  for (const { name } of (await scope.all<{ name: string }>()).results) {
    const count = env.DB.prepare(`SELECT count(*) AS n FROM "${name}" WHERE tenant_id = ?`);
    rows += (await count.bind(id).first<{ n: number }>())?.n ?? 0;
  }
  return rows;
}

describe("a tenant that moves", { timeout: 60_000 }, () => {
  it("F15: export, import, export: the same bytes; and it goes on as before", async () => {
    await addProvider(acme);
    await acme.json("/v1/secrets", 201, { json: { name: "CRM", value: "crm-secret 🔑" } });
    const agent = await liveAgent(acme, "support");
    const others = [await liveAgent(acme, "second"), await liveAgent(acme, "third")];
    for (const other of others) await other.ask("مرحبا 👋🏽 \u2028 <&>");
    const key = await newKey(acme, { scopes: ["agents:read"] });
    const first = await agent.ask("Grüße 👋 from Bremen");
    const long = await agent.ask("ß".repeat(350_000));
    await setStatus(acme, "suspend");
    const out = await exportOf(acme, { json: { passphrase: PASSPHRASE } });
    expect(out).not.toContain("sk-test-0123");

    await elsewhere();
    expect((await arrived(OPENED + out)).tenant).toMatchObject({
      id: acme.id,
      status: "suspended",
    });
    expect(await exportOf(acme, { json: { passphrase: PASSPHRASE } })).toBe(out);

    await setStatus(acme, "reactivate");
    expect(await agent.get(long.id)).toEqual(long);
    const next = await agent.ask("And now?", { body: { session_id: first.session_id } });
    expect(next.status).toBe("succeeded");
    const [asked] = await seenBy(MODEL_SERVER, { key: `${next.id}/model.0` });
    expect(asked?.body).toContain("Grüße 👋 from Bremen"); // its history
    expect(asked?.headers["authorization"]).toBe("Bearer sk-test-0123"); // its key, opened again
    expect((await acme.ask("/v1/agents", { as: key })).status).toBe(200);
    expect((await acme.ask("/v1/audit/verify")).status).toBe(200);
  });

  it("F15: into the platform it was erased from", async () => {
    const agent = await liveAgent(acme, "support", { model: "local/extract" });
    const before = await agent.ask("Where is the office?");
    await setStatus(acme, "suspend");
    const out = await exportOf(acme);
    const json = { confirm: acme.slug };
    const id = await erasedBy(await askPlatform(`/v1/tenants/${acme.id}/erase`, { json }));
    expect(await rowsOf(acme.id)).toBe(1); // the record of its end
    const early = await importFile(out);
    expect([early.status, await early.json()]).toMatchObject([409, { code: "conflict" }]);
    await env.DB.prepare("UPDATE erasure SET erased_at_ms = 1 WHERE id = ?").bind(id).run();
    await arrived(out);
    expect(await exportOf(acme)).toBe(out);
    await setStatus(acme, "reactivate");
    expect(await agent.get(before.id)).toEqual(before);
    expect((await agent.ask("Still there?")).status).toBe("succeeded");
  });

  it("F15: without the passphrase's secrets it runs, once its keys are written again", async () => {
    await addProvider(acme);
    const agent = await liveAgent(acme, "support");
    await setStatus(acme, "suspend");
    const out = await exportOf(acme);
    await elsewhere();
    await arrived(out);
    await setStatus(acme, "reactivate");
    const { data } = await acme.json<{
      data: { id: string; has_key: boolean; revision: number }[];
    }>("/v1/providers", 200);
    expect(data).toMatchObject([{ has_key: false }]);
    const headers = { "if-match": `"${data[0]?.revision}"` };
    const json = { api_key: "sk-again" };
    await acme.json(`/v1/providers/${data[0]?.id}`, 200, { method: "PATCH", json, headers });
    const { id, status } = await agent.ask("Hello?");
    expect(status).toBe("succeeded");
    const [asked] = await seenBy(MODEL_SERVER, { key: `${id}/model.0` });
    expect(asked?.headers["authorization"]).toBe("Bearer sk-again");
  });

  it("F15: under another slug, when it is said; only that word differs", async () => {
    await setStatus(acme, "suspend");
    const out = await exportOf(acme);
    await elsewhere();
    expect((await arrived(out, "?slug=acme-two")).tenant.slug).toBe("acme-two");
    const again = linesOf(await exportOf(acme));
    const changed = linesOf(out).filter(
      (line, n) => JSON.stringify(line) !== JSON.stringify(again[n]),
    );
    expect(changed.map(({ t }) => t ?? "manifest")).toEqual(["tenant", "manifest"]);
    const odd = await importFile(out, "?slug=www");
    expect([odd.status, await odd.json()]).toMatchObject([409, {}]);
  });
});

describe("a file that is refused", { timeout: 60_000 }, () => {
  let out: string;
  beforeEach(async () => {
    await liveAgent(acme, "support", { model: "local/extract" });
    await setStatus(acme, "suspend");
    out = await exportOf(acme);
  });

  it("F15: because the tenant, or one of its slug, is here", async () => {
    const there = await importFile(out);
    expect([there.status, await there.json()]).toMatchObject([409, { code: "already_exists" }]);
    await elsewhere();
    await provision("acme");
    const taken = await importFile(out);
    expect([taken.status, await taken.json()]).toMatchObject([409, { code: "already_exists" }]);
    expect(await rowsOf(acme.id)).toBe(0);
  });

  it("F15, G14: by the line that is wrong, and leaves nothing", async () => {
    await elsewhere();
    const lines = out.trimEnd().split("\n");
    const at = (part: string) => lines.findIndex((line) => line.includes(part));
    const agent = at('"t":"agent"');
    const gate = at('"object":"gate"');
    const changed = (n: number, line: string) => lines.toSpliced(n, 1, line);
    const last = lines.length;
    const flagged = (line: string) => line.replace('"flags":null', '"flags":"["');
    const cases: readonly (readonly [string, readonly string[], number | undefined])[] = [
      ["no file at all", ["nonsense"], 1],
      ["no header", lines.slice(1), 1],
      ["another format", changed(0, lines[0]?.replace('"format":1', '"format":2') ?? ""), 1],
      ["half of it", lines.slice(0, 12), undefined],
      ["no manifest", lines.slice(0, -1), undefined],
      ["a line that is not JSON", changed(agent, "{"), agent + 1],
      ["an unknown table", changed(agent, '{"r":{},"t":"users"}'), agent + 1],
      ["a table that is never exported", changed(agent, '{"r":{},"t":"ticket"}'), agent + 1],
      ["an unknown column", changed(agent, '{"r":{"colour":1},"t":"agent"}'), agent + 1],
      [
        "another tenant's row",
        changed(agent, '{"r":{"tenant_id":"ten_x"},"t":"agent"}'),
        agent + 1,
      ],
      ["a missing column", changed(agent, '{"r":{"id":"agt_x"},"t":"agent"}'), agent + 1],
      ["a member too many", changed(agent, '{"r":{},"t":"agent","x":1}'), agent + 1],
      ["no JSON where it belongs", changed(1, flagged(lines[1] ?? "")), 2],
      ["a row before the tenant", [lines[0] ?? "", lines[agent] ?? ""], 2],
      ["a second tenant", lines.toSpliced(2, 0, lines[1] ?? ""), 3],
      ["a row twice", lines.toSpliced(agent, 0, lines[agent] ?? ""), last + 1],
      ["a row left out", lines.toSpliced(agent, 1), last - 1],
      ["a changed word", changed(agent, lines[agent]?.replace("support", "suppork") ?? ""), last],
      ["more after the manifest", [...lines, lines[agent] ?? ""], last],
      [
        "an object that no row names",
        lines.map((line) =>
          line.endsWith('"t":"runtime_object"}') ? line.replace(/:"prod"/, ':"prox"') : line,
        ),
        undefined,
      ],
      ["a row of no object", lines.toSpliced(gate, 0, '{"o":"step","r":{}}'), undefined],
      ["an object's unknown table", lines.toSpliced(gate + 1, 0, '{"o":"x","r":{}}'), undefined],
      [
        "an object's own mark",
        lines.toSpliced(gate + 1, 0, '{"o":"meta","r":{"key":"k"}}'),
        undefined,
      ],
      ["a table after the objects", lines.toSpliced(gate, 0, lines[agent] ?? ""), gate + 1],
    ];
    for (const [what, said, line] of cases) {
      const answer = await importFile(`${said.join("\n")}\n`);
      const body = await answer.json<{ errors?: { pointer: string }[] }>();
      expect([what, answer.status]).toEqual([what, 422]);
      const pointer = body.errors?.[0]?.pointer;
      const expected = line === undefined ? pointer : `line ${line}`;
      expect([what, pointer]).toEqual([what, expected]);
      expect([what, await rowsOf(acme.id)]).toEqual([what, 0]);
    }
    const scope = { tenantId: acme.id, agentId: "agt_x", environment: "prod", replica: 0 };
    expect(await runtimeOf(env, scope).exportPage(scope)).toMatchObject({ rows: [] });
    await arrived(out); // and nothing of them is in the way
    expect(await exportOf(acme)).toBe(out);
  });

  it("F15, G14: because a column holds JSON of another shape, or a moment there is not", async () => {
    await elsewhere();
    const lines = linesOf(out);
    const at = (table: string) => lines.findIndex(({ t }) => t === table);
    const cases: readonly (readonly [string, string, unknown])[] = [
      ["tenant", "flags", '{"no_such_flag":true}'],
      ["tenant", "flags", '{"__proto__":{"chat":true}}'],
      ["tenant", "flags", "[]"],
      ["tenant", "created_at_ms", 9e15],
      ["tenant", "location", "the moon"],
      ["key", "scopes", '{"0":"agents:read"}'],
      ["key", "scopes", '["tenants:provision"]'],
      ["key", "scopes", '"agents:read"'],
      ["key", "rate_limits", '[{"limit":"many","periodMs":1}]'],
      ["key", "metadata", '{"a":{"__proto__":1}}'],
      ["key", "metadata", '{"\\u005f_proto__":"x"}'],
      ["version", "spec", '{"kind":"llm","model":7}'],
      ["version", "spec", `${"[".repeat(200)}${"]".repeat(200)}`],
      ["draft", "spec", "null"],
      ["deployment", "status", "flying"],
      ["agent", "tags", '[["x"]]'],
    ];
    for (const [table, column, value] of cases) {
      const n = at(table);
      const line = lines[n] ?? {};
      const r = { ...Object(line["r"]), [column]: value };
      const text = lines.with(n, { ...line, r }).map((it) => JSON.stringify(it));
      const answer = await importFile(`${text.join("\n")}\n`);
      const body = await answer.json<{ errors?: { pointer: string }[] }>();
      const told = [table, column, answer.status, body.errors?.[0]?.pointer];
      expect(told).toEqual([table, column, 422, `line ${n + 1}`]);
      expect(await rowsOf(acme.id)).toBe(0);
    }
    const sly = out.replace('"r":{', '"r":{"__proto__":1,');
    expect((await importFile(sly)).status).toBe(422);
    await arrived(out);
  });

  it("F15, G14: because a row of an object holds what nobody could read", async () => {
    await setStatus(acme, "reactivate");
    const agent = await liveAgent(acme, "second", { model: "local/extract" });
    await agent.ask("Hello?", { body: { metadata: { a: "b" } } });
    await setStatus(acme, "suspend");
    const file = await exportOf(acme);
    await elsewhere();
    const lines = linesOf(file);
    const n = lines.findIndex(({ o }) => o === "invocation");
    const cases: readonly (readonly [string, unknown])[] = [
      ["input", "no mark"],
      ["input", "=not JSON"],
      ["input", '={"__proto__":1}'],
      ["output", '="text"'],
      ["opening", '=["run.started"]'],
      ["metadata", "[]"],
      ["status", "flying"],
      ["created_ms", 9e15],
      ["created_ms", "yesterday"],
      ["turn", "0"],
      ["principal", 7],
    ];
    for (const [column, value] of cases) {
      const r = { ...Object(lines[n]?.["r"]), [column]: value };
      const text = lines.with(n, { ...lines[n], r }).map((it) => JSON.stringify(it));
      const answer = await importFile(`${text.join("\n")}\n`);
      await answer.text();
      expect([column, value, answer.status]).toEqual([column, value, 422]);
      expect(await rowsOf(acme.id)).toBe(0);
    }
    await arrived(file);
  });

  it("F15, G14: for its form: no NDJSON, no UTF-8, cut within a line, too large", async () => {
    await elsewhere();
    const headers = { "content-type": "application/json" };
    const json = await askPlatform("/v1/tenants/import", { method: "POST", raw: out, headers });
    expect(json.status).toBe(415);
    const none = await askPlatform("/v1/tenants/import", {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
    });
    expect(none.status).toBe(400);
    expect((await importFile(out.slice(0, -40))).status).toBe(422);
    expect((await importFile("x".repeat(17 * 1024 * 1024))).status).toBe(413);
    expect(await rowsOf(acme.id)).toBe(0);
  });

  it("F15: for the passphrase, before anything is written", async () => {
    await elsewhere();
    const again = await provision("other");
    await addProvider(again);
    await setStatus(again, "suspend");
    const wrapped = await exportOf(again, { json: { passphrase: PASSPHRASE } });
    await elsewhere();
    for (const text of [
      wrapped,
      `${JSON.stringify({ passphrase: "not the right one" })}\n${wrapped}`,
    ]) {
      const answer = await importFile(text);
      expect([answer.status, await answer.json()]).toMatchObject([
        422,
        { errors: [{ pointer: "line 1" }] },
      ]);
    }
    const provider = linesOf(wrapped).find(({ t }) => t === "provider");
    const sealed = String(Object(provider?.["r"]).sealed_key);
    const broken = wrapped.replace(sealed, `${sealed.slice(0, -2)}AA`);
    expect((await importFile(OPENED + broken)).status).toBe(422);
    expect(await rowsOf(again.id)).toBe(0);
    await arrived(OPENED + wrapped);
  });

  it("F13, F15: because it names an id that another tenant's key is found by", async () => {
    await elsewhere();
    const victim = await provision("victim");
    const key = linesOf(out).find(({ t }) => t === "key");
    const evil = out.replaceAll(String(Object(key?.["r"]).id), victim.keyId);
    const answer = await importFile(evil);
    expect([answer.status, await answer.json()]).toMatchObject([
      422,
      { errors: [{ detail: "has an id that is another tenant's" }] },
    ]);
    expect((await victim.ask("/v1/agents")).status).toBe(200);
    expect(await rowsOf(acme.id)).toBe(0);
  });

  it("F15: nobody sees it while it arrives; what nobody carries on is swept by cron", async () => {
    await elsewhere();
    const job = lifeJob(env);
    const of = { tenantId: acme.id, kind: "import", requestedBy: "platform" } as const;
    const { id } = await beginTransfer(job.platform, of, Date.now());
    const row = env.DB.prepare("INSERT INTO environment VALUES (?, 'prod', 1)");
    await row.bind(acme.id).run();
    expect((await acme.ask("/v1/agents")).status).toBe(404);
    expect((await askPlatform(`/v1/tenants/${acme.id}`)).status).toBe(404);
    expect((await importFile(out)).status).toBe(409);
    expect(await endStalled(job, 10)).toBe(0);
    const later = { ...job, now: () => Date.now() + 3_600_000 };
    expect(await endStalled(later, 10)).toBe(1);
    expect(await rowsOf(acme.id)).toBe(0);
    const record = await askPlatform(`/v1/transfers/${id}`);
    expect(await record.json()).toMatchObject({ status: "failed" });
    await arrived(out);
  });
});
