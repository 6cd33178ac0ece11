/** Whole tenants: their rows out, in and gone, in whatever table. */
import { getTableName } from "drizzle-orm";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import { describe, expect, it } from "vitest";
import { TABLES } from "../../migrations/tables.ts";
import {
  advanceErasure,
  beginErasure,
  completeErasure,
  getErasure,
  takeErasures,
} from "../erasure/store.ts";
import { countRows, sweepPlatformAnswers, sweepTables } from "../erasure/store-sweep.ts";
import { claimKey, completeKey } from "../idempotency/store.ts";
import { newId } from "../ids.ts";
import { listObjects } from "../runtime-objects/store.ts";
import { findTenantStatus } from "../tenants/store-status.ts";
import { getTenant, provisionTenant } from "../tenants/store.ts";
import type { Row } from "../transfer/contract.ts";
import { RULES } from "../transfer/rules.ts";
import {
  beginTransfer,
  getTransfer,
  reportTransfer,
  stalledTransfers,
  type TransferRow,
} from "../transfer/store.ts";
import {
  checkedRow,
  demandVacant,
  foreignIds,
  insertRows,
  keyValues,
  landTenant,
  readRows,
} from "../transfer/store-rows.ts";
import { dueAgentEnds } from "./outbox.ts";
import { type PlatformScope, type TenantScope, tenantScope } from "./scope.ts";
import { runAll } from "./statements.ts";
import { furnishedTenant } from "./suite-furnished.ts";
import { NOON, type Open, missing, newAgent, newTenant, race, refusal } from "./suite-world.ts";
import { deleteAgent } from "../agents/store.ts";

const MOVED = TABLES.filter((table) => RULES[getTableName(table)]?.take === "exported");
const SWEPT = TABLES.filter((table) => !["tenant", "erasure"].includes(getTableName(table)));

/** Every exported row of a tenant, read a few at a time. */
async function rowsOf(
  scope: TenantScope,
  limit: number,
): Promise<ReadonlyMap<string, readonly Row[]>> {
  const all = new Map<string, readonly Row[]>();
  for (const table of MOVED) {
    const rows: Row[] = [];
    for (;;) {
      const last = rows.at(-1);
      const page = await readRows(scope, table, last && keyValues(table, last), limit);
      rows.push(...page);
      if (page.length < limit) break;
    }
    all.set(getTableName(table), rows);
  }
  return all;
}

async function sweepAll(scope: TenantScope): Promise<void> {
  await sweepTables(
    scope,
    TABLES.filter((table) => getTableName(table) !== "erasure"),
  );
}

const tableNamed = (name: string): SQLiteTable =>
  TABLES.find((table) => getTableName(table) === name) ?? missing("a table");

function importing(platform: PlatformScope, tenantId: string): Promise<TransferRow> {
  return beginTransfer(platform, { tenantId, kind: "import", requestedBy: "platform" }, NOON);
}

export function lifeCases(open: Open): void {
  describe("rows of a whole tenant", { timeout: 30_000 }, () => {
    it("F15: out and in again are the same rows, in every exported table", async () => {
      const { scope, tenant, slug } = await furnishedTenant(open());
      const before = await rowsOf(scope, 100);
      for (const [name, rows] of before) expect([name, rows.length > 0]).toEqual([name, true]);
      expect(await rowsOf(scope, 1)).toEqual(before);
      await sweepAll(scope);
      expect(await countRows(scope, TABLES)).toMatchObject({});
      const transfer = await importing(open(), tenant.id);
      for (const table of MOVED) {
        if (table === tableNamed("tenant")) continue;
        const rows = before.get(getTableName(table)) ?? [];
        await runAll(
          scope.db,
          insertRows(
            scope,
            table,
            rows.map((row) => checkedRow(table, row)),
          ),
        );
      }
      expect(await findTenantStatus(scope)).toBeUndefined();
      const [own = missing("a tenant")] = before.get("tenant") ?? [];
      const done = { lines: 1, sizeBytes: 2, sha256: "3" };
      await landTenant(open(), transfer, own, done, NOON);
      expect(await getTransfer(open(), transfer.id)).toMatchObject({ status: "done", sha256: "3" });
      const landed = await rowsOf(scope, 100);
      expect(landed.get("tenant")).toEqual([{ ...own, status: "suspended" }]);
      expect(new Map([...landed].slice(1))).toEqual(new Map([...before].slice(1)));
      expect(await refusal(demandVacant(open(), tenant.id, "none", NOON))).toBe("already_exists");
      expect(await refusal(demandVacant(open(), newId("tenant", NOON), slug, NOON))).toBe(
        "already_exists",
      );
    });

    it("F15: a row that does not fit its table is refused before it is written", async () => {
      const { scope } = await newTenant(open());
      const table = tableNamed("environment");
      const [row = missing("a row")] = await readRows(scope, table, undefined, 1);
      expect(checkedRow(table, row)).toEqual(row);
      for (const broken of [
        { ...row, tenant_id: "ten_other" },
        { ...row, colour: "red" },
        { ...row, slug: null },
        { ...row, slug: 7 },
        { ...row, created_at_ms: "now" },
        { ...row, created_at_ms: 1.5 },
        { slug: "prod" },
      ]) {
        expect(await refusal((async () => checkedRow(table, broken as Row))())).toBe("invalid");
      }
    });

    it("F15: an id that another tenant's credential is found by is told", async () => {
      const [acme, globex] = [await newTenant(open()), await newTenant(open())];
      const table = tableNamed("key");
      const rows = await readRows(acme.scope, table, undefined, 10);
      const ids = rows.map((row) => row["id"]);
      expect(await foreignIds(open(), acme.tenant.id, table, rows)).toEqual([]);
      expect(await foreignIds(open(), globex.tenant.id, table, rows)).toEqual(ids);
    });

    it("F13, F15: what is read, written and swept is the tenant's own", async () => {
      const [acme, globex] = [await furnishedTenant(open()), await furnishedTenant(open())];
      const before = await rowsOf(globex.scope, 100);
      const theirs = await rowsOf(acme.scope, 100);
      const ids = JSON.stringify([...theirs]).match(/[a-z]{3}_[0-9a-z]{26}/g) ?? [];
      const own = JSON.stringify([...before]);
      expect(ids.filter((id) => own.includes(id))).toEqual([]);
      await sweepAll(acme.scope);
      expect(await rowsOf(globex.scope, 100)).toEqual(before);
    });

    it("F16: every table is swept, however many rows it has", async () => {
      const { scope } = await furnishedTenant(open());
      const table = tableNamed("environment");
      const many = Array.from({ length: 1203 }, (_, n) => ({ slug: `e${n}`, created_at_ms: NOON }));
      await runAll(scope.db, insertRows(scope, table, many));
      expect(await countRows(scope, SWEPT)).toMatchObject({ environment: 1206 });
      await sweepTables(scope, SWEPT);
      expect(await countRows(scope, SWEPT)).toEqual({});
    });

    it("F16: the platform's kept answers that name the tenant go too", async () => {
      const { tenant } = await newTenant(open());
      const subject = { principal: "platform", route: "POST /v1/tenants", fingerprint: "f" };
      const keys = [newId("request", NOON), newId("request", NOON)] as const;
      for (const [key, document] of [
        [keys[0], { tenant: { id: tenant.id } }],
        [keys[1], { tenant: { id: "another" } }],
      ] as const) {
        const claimed = await claimKey(open(), { ...subject, key }, NOON);
        if (claimed.state !== "new") throw new Error("claimed before");
        await completeKey(open(), claimed.claim, { status: 201, body: { headers: {}, document } });
      }
      await sweepPlatformAnswers(open(), tenant.id);
      const states = await Promise.all(
        keys.map(async (key) => (await claimKey(open(), { ...subject, key }, NOON)).state),
      );
      expect(states).toEqual(["new", "done"]);
    });
  });

  describe("transfers", () => {
    it("F15: one import into a place at a time, of any number that begin", async () => {
      const id = newId("tenant", NOON);
      const { won, refused } = await race(Array.from({ length: 5 }, () => importing(open(), id)));
      expect([won, new Set(refused)]).toEqual([1, new Set(["conflict"])]);
    });

    it("F15: one that stands still is found, and lands no tenant once it was given up", async () => {
      const { tenant } = await newTenant(open());
      const moved = newId("tenant", NOON);
      const transfer = await importing(open(), moved);
      const still = async (beforeMs: number) =>
        (await stalledTransfers(open(), beforeMs, 1000)).map(({ id }) => id);
      expect(await still(NOON)).not.toContain(transfer.id);
      expect(await still(NOON + 1)).toContain(transfer.id);
      expect(await reportTransfer(open(), transfer, { lines: 9 }, NOON + 5)).toBe(true);
      expect(await still(NOON + 1)).not.toContain(transfer.id);
      await reportTransfer(open(), transfer, { status: "failed", error: "x" }, NOON + 6);
      expect(await reportTransfer(open(), transfer, { lines: 10 }, NOON + 7)).toBe(false);
      const table = tableNamed("tenant");
      const [own = missing("a row")] = await readRows(
        tenantScope(open(), tenant.id),
        table,
        undefined,
        1,
      );
      const row = { ...own, slug: `s-${moved.slice(-8)}` };
      const done = { lines: 1, sizeBytes: 2, sha256: "3" };
      expect(await refusal(landTenant(open(), transfer, row, done, NOON))).toBe("already_exists");
      expect(await refusal(getTenant(open(), moved))).toBe("not_found");
    });
  });

  describe("erasures", () => {
    const begin = (tenantId: string, confirm: string, nowMs = NOON) =>
      beginErasure(open(), { tenantId, confirm, requestedBy: "platform", dueAtMs: nowMs }, nowMs);

    it("F16: begin once, whoever asks at once, and only with the slug written out", async () => {
      const { tenant, slug, scope } = await newTenant(open());
      expect(await refusal(begin(tenant.id, `${slug}x`))).toBe("invalid");
      expect(await refusal(begin(newId("tenant", NOON), slug))).toBe("not_found");
      expect(await findTenantStatus(scope)).toBe("active");
      const rows = await Promise.all(Array.from({ length: 5 }, () => begin(tenant.id, slug)));
      expect(new Set(rows.map(({ id }) => id)).size).toBe(1);
      expect(await findTenantStatus(scope)).toBe("erasing");
    });

    it("F16: are taken up by one at a time, and go on where they stand", async () => {
      const { tenant, slug } = await newTenant(open());
      const { id } = await begin(tenant.id, slug);
      const take = async (nowMs: number) =>
        (await takeErasures(open(), nowMs, 1000)).filter((row) => row.id === id);
      const both = await Promise.all([take(NOON), take(NOON)]);
      expect(both.flat()).toHaveLength(1);
      const [row = missing("an erasure")] = both.flat();
      const next = { phase: "keys" as const, dueAtMs: NOON + 10 };
      expect(await advanceErasure(open(), row, next)).toMatchObject(next);
      expect(await advanceErasure(open(), row, next)).toBeUndefined();
      expect(await take(NOON + 9)).toEqual([]);
      expect(await take(NOON + 10)).toMatchObject([{ phase: "keys" }]);
    });

    it("F16: end with the tenant's own row, once; the slug is kept back from others", async () => {
      const { tenant, slug } = await newTenant(open());
      const row = await begin(tenant.id, slug);
      await completeErasure(open(), row, "proof", NOON + 1);
      await completeErasure(open(), row, "another", NOON + 2);
      expect(await getErasure(open(), row.id)).toMatchObject({
        certificate: "proof",
        erasedAtMs: NOON + 1,
        dueAtMs: null,
      });
      expect(await refusal(getTenant(open(), tenant.id))).toBe("not_found");
      const admin = { email: "eve@example.com", name: "Eve" };
      const claim = (nowMs: number) => provisionTenant(open(), { slug, name: "Eve", admin }, nowMs);
      expect(await refusal(claim(NOON + 89 * 86_400_000))).toBe("already_exists");
      expect((await claim(NOON + 91 * 86_400_000)).tenant.slug).toBe(slug);
    });
  });

  describe("a deleted agent", () => {
    it("F16: is owed its end by the batch that deletes it, and none that missed", async () => {
      const { scope } = await newTenant(open());
      const { agent } = await newAgent(scope);
      const due = async () =>
        (await dueAgentEnds(open(), NOON, 1000)).filter((it) => it.agentId === agent.id);
      expect(await refusal(deleteAgent(scope, agent.id, 99, NOON))).toBe("version_conflict");
      expect(await due()).toEqual([]);
      await deleteAgent(scope, agent.id, agent.revision, NOON);
      expect(await due()).toMatchObject([{ tenantId: scope.tenantId, agentId: agent.id }]);
      expect(await due()).toEqual([]); // taken
      expect(await listObjects(scope, { agentId: agent.id }, 10)).toEqual([]);
    });
  });
}
