import { and, asc, eq, sql } from "drizzle-orm";
import { exportJWK, generateKeyPair } from "jose";
import { describe, expect, it } from "vitest";
import { Chain, type Kept } from "../audit/chaining.ts";
import type { AuditEntry } from "../audit/contract.ts";
import { chainTail, findCheckpoint, tenantsWaiting } from "../audit/store-chain.ts";
import { auditRow, record, recorded } from "../audit/store-record.ts";
import { exportAudit, getAudit, listAudit, listCheckpoints } from "../audit/store.ts";
import { type VerifyWish, verifyTrail } from "../audit/store-verify.ts";
import { audit, auditCheckpoint } from "../audit/table.ts";
import { followChain } from "../audit/verify.ts";
import type { SigningJwk } from "../config.ts";
import { publicJwks } from "../tokens/signer.ts";
import { type TenantScope, actingAs } from "./scope.ts";
import { runAll } from "./statements.ts";
import { FIRST_PAGE, NOON, missing, newTenant, type Open, refusal } from "./suite-world.ts";

async function newSigningKey(kid: string): Promise<SigningJwk> {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  // As jose exports an Ed25519 key.
  return { ...(await exportJWK(privateKey)), kid } as SigningJwk;
}

const publicOf = (jwk: SigningJwk) => publicJwks([jwk]).keys;

/** A gate's chain with its memory in the test's hands. */
function chainOf(scope: TenantScope, jwk?: SigningJwk, memory: { kept?: Kept } = {}) {
  const chain = new Chain({
    kept: {
      read: () => memory.kept,
      write: (kept) => {
        memory.kept = kept;
      },
    },
    scope: () => scope,
    signing: () => jwk,
    now: () => NOON,
  });
  return { chain, memory };
}

/** `count` entries of a tenant that has none but those of its provisioning. */
async function fill(scope: TenantScope, count: number, fromMs = NOON + 1): Promise<void> {
  const rows = await Promise.all(
    Array.from({ length: count }, (_, n) => {
      const fact = { action: "thing.changed", kind: "thing", id: `t${n}`, detail: { n } };
      return auditRow(scope, { ...fact, before: { n }, after: { n: n + 1 } }, fromMs + n);
    }),
  );
  await runAll(
    scope.db,
    rows.map((row) => recorded(scope, row)),
  );
}

const rows = (scope: TenantScope) =>
  scope.db
    .select()
    .from(audit)
    .where(eq(audit.tenantId, scope.tenantId))
    .orderBy(asc(audit.seq), asc(audit.id));

const verify = (scope: TenantScope, wish: Partial<VerifyWish> = {}) =>
  verifyTrail(scope, { from: undefined, head: null, keys: [], ...wish });

/** A change of one row behind everybody's back. */
async function tamper(scope: TenantScope, seq: number, set: Partial<typeof audit.$inferInsert>) {
  await scope.db
    .update(audit)
    .set(set)
    .where(and(eq(audit.tenantId, scope.tenantId), eq(audit.seq, seq)));
}

/** Chains `count` entries of a new tenant and remembers the head. */
async function chained(open: Open, count: number, jwk?: SigningJwk) {
  const { scope } = await newTenant(open());
  await fill(scope, count);
  const { chain, memory } = chainOf(scope, jwk);
  const head = (await chain.extend()) ?? missing("a head");
  return { scope, chain, memory, head };
}

export function auditCases(open: Open): void {
  chainCases(open);
  faultCases(open);
  checkpointCases(open);
  readingCases(open);
}

function chainCases(open: Open): void {
  describe("the audit chain", { timeout: 30_000 }, () => {
    it("F171, K13: chains what waits once, in the order of ids, and verifies", async () => {
      const { scope, chain, head } = await chained(open, 120);
      const before = await rows(scope);
      expect(before.map(({ seq }) => seq)).toEqual(before.map((_, index) => index + 1));
      expect(before.map(({ id }) => id)).toEqual(before.map(({ id }) => id).toSorted());
      expect(await chain.extend()).toEqual(head);
      expect(await rows(scope)).toEqual(before);
      expect(await verify(scope, { head })).toMatchObject({
        verified: true,
        entries: before.length,
        unchained: 0,
        head,
      });
    });

    it("F171: what comes later, with a smaller id too, takes the next place", async () => {
      const { scope, chain, head } = await chained(open, 3);
      await fill(scope, 1, NOON - 60_000);
      expect(await verify(scope, { head })).toMatchObject({ verified: true, unchained: 1 });
      const next = (await chain.extend()) ?? missing("a head");
      expect(next.seq).toBe(head.seq + 1);
      expect((await rows(scope)).at(-1)?.atMs).toBe(NOON - 60_000);
      expect(await verify(scope, { head: next })).toMatchObject({ verified: true, unchained: 0 });
    });

    it("F171: a gate that died before it noted its head goes on from the rows", async () => {
      const { scope } = await newTenant(open());
      await fill(scope, 4);
      const memory: { kept?: Kept } = {};
      const dying = new Chain({
        kept: {
          read: () => memory.kept,
          write: () => {
            throw new Error("the machine is gone");
          },
        },
        scope: () => scope,
        signing: () => undefined,
        now: () => NOON,
      });
      await expect(dying.extend()).rejects.toThrow("the machine is gone");
      const written = await rows(scope);
      expect(written.filter(({ seq }) => seq !== null).length).toBeGreaterThan(0);
      const { chain } = chainOf(scope, undefined, memory);
      const head = (await chain.extend()) ?? missing("a head");
      expect(head.seq).toBe(written.length);
      expect(await rows(scope)).toEqual(written);
      await fill(scope, 1, NOON + 9000);
      expect((await chain.extend())?.seq).toBe(written.length + 1);
      expect(await verify(scope, { head: chain.head() })).toMatchObject({ verified: true });
    });

    it("F171: two gates at once give no place twice and make one chain", async () => {
      const { scope } = await newTenant(open());
      await fill(scope, 70);
      const gates = [chainOf(scope).chain, chainOf(scope).chain];
      // A gate that loses again and again gives up; the next wake-up finds what is left.
      await Promise.allSettled(gates.map((gate) => gate.extend()));
      const last = chainOf(scope).chain;
      const head = (await last.extend()) ?? missing("a head");
      const seqs = (await rows(scope)).map(({ seq }) => seq);
      expect(seqs).toEqual(seqs.map((_, index) => index + 1));
      expect(await verify(scope, { head })).toMatchObject({ verified: true, entries: seqs.length });
    });

    it("F171: who waits while a pass runs has its entry chained too", async () => {
      const { scope } = await newTenant(open());
      const { chain } = chainOf(scope);
      const writes = Array.from({ length: 10 }, async (_, n) => {
        await fill(scope, 1, NOON + n);
        await chain.extend();
      });
      await Promise.all(writes);
      expect((await verify(scope)).unchained).toBe(0);
    });

    it("F171: the sweep finds the tenants with a tail, each once", async () => {
      const first = await chained(open, 2);
      const second = await chained(open, 2);
      await fill(first.scope, 3, NOON + 5000);
      const found: string[] = [];
      let after = "";
      for (;;) {
        const page = await tenantsWaiting(open(), after, 3);
        found.push(...page);
        after = page.at(-1) ?? after;
        if (page.length < 3) break;
      }
      expect(found.filter((id) => id === first.scope.tenantId)).toHaveLength(1);
      expect(found).not.toContain(second.scope.tenantId);
    });
  });
}

/** Every column of a row, each changed a little. */
const CHANGES: readonly (readonly [string, Partial<typeof audit.$inferInsert>])[] = [
  ["at_ms", { atMs: NOON + 4 }],
  ["a time that is none", { atMs: 9e15 }],
  ["action", { action: "thing.changee" }],
  ["actor_kind", { actorKind: "kez" }],
  ["actor_id", { actorId: "system2" }],
  ["address", { address: "10.0.0.1" }],
  ["request_id", { requestId: "req_x" }],
  ["resource_kind", { resourceKind: "thinh" }],
  ["resource_id", { resourceId: "t9" }],
  ["result", { result: "refused" }],
  ["before_digest", { beforeDigest: null }],
  ["after_digest", { afterDigest: "x" }],
  ["detail", { detail: '{"n":3}' }],
  ["white space in detail", { detail: '{"n": 2}' }],
  ["detail that is no JSON", { detail: "{n" }],
  ["previous_hash", { previousHash: "x" }],
  ["hash", { hash: "x" }],
];

function faultCases(open: Open): void {
  describe("verifying the audit chain", { timeout: 30_000 }, () => {
    it.each(CHANGES)("F171, K13: names the entry whose %s was changed", async (_name, change) => {
      const { scope, head } = await chained(open, 5);
      const at = head.seq - 2;
      const victim = (await rows(scope))[at - 1] ?? missing("a row");
      await tamper(scope, at, change);
      expect(await verify(scope, { head })).toMatchObject({
        verified: false,
        fault: { seq: at, id: victim.id, what: "altered" },
      });
    });

    it("F171, K13: names the entry whose id was changed, and one given to another tenant", async () => {
      const { scope, head } = await chained(open, 5);
      const at = head.seq - 2;
      const victim = (await rows(scope))[at - 1] ?? missing("a row");
      const id = `${victim.id.slice(0, -1)}${victim.id.endsWith("0") ? "1" : "0"}`;
      await tamper(scope, at, { id });
      expect(await verify(scope, { head })).toMatchObject({ fault: { seq: at, id } });
      const other = await newTenant(open());
      await open()
        .db.update(audit)
        .set({ tenantId: other.scope.tenantId, seq: null })
        .where(and(eq(audit.tenantId, scope.tenantId), eq(audit.seq, at)));
      expect(await verify(scope, { head })).toMatchObject({
        fault: { seq: at, id: null, what: "missing" },
      });
    });

    it("F171, K13: finds a deleted, a swapped and a cut-off entry", async () => {
      const { scope, head } = await chained(open, 6);
      const gone = (seq: number) =>
        scope.db.delete(audit).where(and(eq(audit.tenantId, scope.tenantId), eq(audit.seq, seq)));
      await tamper(scope, 2, { seq: 999 });
      await tamper(scope, 3, { seq: 2 });
      await tamper(scope, 999, { seq: 3 });
      expect(await verify(scope, { head })).toMatchObject({ fault: { seq: 2, what: "altered" } });
      await gone(2);
      expect(await verify(scope, { head })).toMatchObject({
        fault: { seq: 2, id: null, what: "missing" },
      });
      const cut = await chained(open, 6);
      await cut.scope.db
        .delete(audit)
        .where(and(eq(audit.tenantId, cut.scope.tenantId), eq(audit.seq, cut.head.seq)));
      expect(await verify(cut.scope)).toMatchObject({ verified: true });
      expect(await verify(cut.scope, { head: cut.head })).toMatchObject({
        verified: false,
        fault: { seq: cut.head.seq, id: null, what: "missing" },
      });
    });

    it("F171: a chain made anew from a changed entry on is not the one that is remembered", async () => {
      const { scope, head } = await chained(open, 5);
      await tamper(scope, 2, { action: "thing.forged" });
      await scope.db.update(audit).set({ seq: null }).where(eq(audit.tenantId, scope.tenantId));
      await chainOf(scope).chain.extend();
      expect(await verify(scope)).toMatchObject({ verified: true });
      expect(await verify(scope, { head })).toMatchObject({ fault: { what: "head" } });
    });

    it("F171: the gate goes on from its own head, whatever stands in the rows", async () => {
      const jwk = await newSigningKey("now");
      const { scope, chain, head } = await chained(open, 4, jwk);
      await tamper(scope, head.seq, { action: "thing.forged", hash: "x" });
      await fill(scope, 1, NOON + 5000);
      const next = (await chain.extend()) ?? missing("a head");
      const last = (await rows(scope)).at(-1);
      expect(last).toMatchObject({ seq: head.seq + 1, previousHash: head.hash });
      expect(await verify(scope, { head: next, keys: publicOf(jwk) })).toMatchObject({
        fault: { seq: head.seq, what: "altered" },
      });
    });

    it("F171: forged entries beyond the head are passed over and named", async () => {
      const jwk = await newSigningKey("now");
      const { scope, chain, head } = await chained(open, 4, jwk);
      await fill(scope, 1, NOON + 5000);
      const forged = (await rows(scope)).find(({ seq }) => seq === null) ?? missing("a row");
      const set = { seq: head.seq + 1, previousHash: "x", hash: "y" };
      await scope.db.update(audit).set(set).where(eq(audit.id, forged.id));
      await fill(scope, 1, NOON + 6000);
      const next = (await chain.extend()) ?? missing("a head");
      expect(next.seq).toBe(head.seq + 2);
      const told = await verify(scope, { head: next, keys: publicOf(jwk) });
      expect(told).toMatchObject({ verified: false, fault: { seq: head.seq + 1, id: forged.id } });
      // What came after can be verified by itself: the place was signed with our own hash.
      const later = await verify(scope, { from: head.seq + 1, head: next, keys: publicOf(jwk) });
      expect(later).toMatchObject({ verified: true, entries: 1 });
    });
  });
}

function checkpointCases(open: Open): void {
  describe("checkpoints", { timeout: 30_000 }, () => {
    it("K13: are signed with the first entries, every 100 then, and when asked", async () => {
      const jwk = await newSigningKey("now");
      const { scope, chain, head } = await chained(open, 160, jwk);
      const page = await listCheckpoints(scope, FIRST_PAGE);
      const seqs = page.data.map(({ seq }) => seq);
      expect(seqs.length).toBeGreaterThanOrEqual(2);
      expect(seqs.slice(0, -1).map((seq, index) => seq - (seqs[index + 1] ?? 0))).toEqual(
        seqs.slice(1).map(() => 100),
      );
      const asked = await chain.sign();
      expect(asked).toMatchObject({ seq: head.seq, hash: head.hash, kid: "now" });
      expect(await verify(scope, { head, keys: publicOf(jwk) })).toMatchObject({
        verified: true,
        checkpoints: seqs.length + 1,
        unknown_keys: 0,
      });
      expect(await chain.sign()).toEqual(asked);
    });

    it("K13: one that says another hash, or is not signed by us, is a fault", async () => {
      const jwk = await newSigningKey("now");
      const { scope, chain, head } = await chained(open, 3, jwk);
      const { seq } = (await chain.sign()) ?? missing("a checkpoint");
      const keys = publicOf(jwk);
      const change = (set: Partial<typeof auditCheckpoint.$inferInsert>) =>
        scope.db
          .update(auditCheckpoint)
          .set(set)
          .where(and(eq(auditCheckpoint.tenantId, scope.tenantId), eq(auditCheckpoint.seq, seq)));
      await change({ hash: "x" });
      const signature = { seq, id: null, what: "signature" };
      expect(await verify(scope, { head, keys })).toMatchObject({ fault: signature });
      expect(await verify(scope, { head, keys, from: seq })).toMatchObject({ fault: signature });
      await change({ hash: head.hash });
      expect(await verify(scope, { head, keys })).toMatchObject({ verified: true });
      // Another key of the same name: what it signed is not ours.
      const other = await newSigningKey("now");
      expect(await verify(scope, { head, keys: publicOf(other) })).toMatchObject({
        fault: { what: "signature" },
      });
      // A key that is configured no more proves nothing and spoils nothing.
      const later = await verify(scope, { head, keys: publicOf(await newSigningKey("later")) });
      expect(later).toMatchObject({ verified: true });
      expect(later.unknown_keys).toBeGreaterThan(0);
    });

    it("K13: a chain made anew does not fit what was signed", async () => {
      const jwk = await newSigningKey("now");
      const { scope, chain } = await chained(open, 3, jwk);
      const { seq } = (await chain.sign()) ?? missing("a checkpoint");
      await tamper(scope, seq, { action: "thing.forged" });
      await scope.db.update(audit).set({ seq: null }).where(eq(audit.tenantId, scope.tenantId));
      await chainOf(scope).chain.extend();
      expect(await verify(scope, { keys: publicOf(jwk) })).toMatchObject({
        fault: { what: "checkpoint" },
      });
    });

    it("K13: verifying goes on from one of them, and from nowhere else", async () => {
      const jwk = await newSigningKey("now");
      const { scope, head } = await chained(open, 130, jwk);
      const [{ seq } = missing("a checkpoint")] = (await listCheckpoints(scope, FIRST_PAGE)).data;
      const part = await verify(scope, { from: seq, head, keys: publicOf(jwk) });
      expect(part).toMatchObject({ verified: true, entries: head.seq - seq, head });
      expect(await findCheckpoint(scope, seq + 1)).toBeUndefined();
      expect(await refusal(verify(scope, { from: seq + 1 }))).toBe("not_found");
    });
  });
}

function readingCases(open: Open): void {
  describe("reading the audit trail", () => {
    it("F171: lists newest first, filters, and finds by id", async () => {
      const { scope } = await newTenant(open());
      await fill(scope, 5);
      const by = { kind: "user", id: "usr_1", address: "192.0.2.7", requestId: "req_1" } as const;
      const fact = { action: "key.revoked", kind: "key", id: "key_1", result: "refused" } as const;
      await record(actingAs(scope, by), fact, NOON + 99_000);
      const all = await listAudit(scope, { limit: 3 });
      expect(all.data[0]).toMatchObject({ action: "key.revoked", resource: { id: "key_1" } });
      expect(all.next_cursor).not.toBeNull();
      for (const filter of [
        { action: "key.revoked" },
        { actor: "usr_1" },
        { resource_kind: "key", resource_id: "key_1" },
        { result: "refused" },
        { since: new Date(NOON + 99_000).toISOString() },
      ] as const) {
        const { data } = await listAudit(scope, { limit: 25, ...filter });
        expect([filter, data.map(({ actor }) => actor.id)]).toEqual([filter, ["usr_1"]]);
      }
      const until = new Date(NOON + 99_000).toISOString();
      const { data } = await listAudit(scope, { limit: 25, until, action: "key.revoked" });
      expect(data).toEqual([]);
      const [first = missing("an entry")] = all.data;
      expect(await getAudit(scope, first.id)).toEqual(first);
      const other = await newTenant(open());
      expect(await refusal(getAudit(other.scope, first.id))).toBe("not_found");
    });

    it("F171, K13: what is exported verifies as a file does, chained first", async () => {
      const { scope, head } = await chained(open, 8);
      await fill(scope, 2, NOON + 7000);
      const lines: AuditEntry[] = [];
      for await (const page of exportAudit(scope, {})) lines.push(...page);
      // Through text, as a file would hold it.
      const entries = lines.map((line) => JSON.parse(JSON.stringify(line)) as AuditEntry);
      const marks = new Map([[head.seq, head.hash]]);
      expect(await followChain(entries, null, marks)).toMatchObject({
        head,
        entries: head.seq,
        unchained: 2,
        marks: 1,
      });
      const [, second = missing("an entry")] = entries;
      const changed = entries.with(1, { ...second, action: "thing.forged" });
      expect(await followChain(changed, null)).toMatchObject({
        fault: { seq: 2, id: second.id, what: "altered" },
      });
    });

    it("F171: a refusing store leaves nothing half chained", async () => {
      const { scope } = await newTenant(open());
      await fill(scope, 3);
      const { waiting } = await chainTail(scope, 0, 50);
      const [first = missing("an entry")] = waiting;
      // Somebody takes the second place; the whole batch of a gate that wants it too is refused.
      await scope.db
        .update(audit)
        .set({ seq: sql`2`, hash: "x", previousHash: "x" })
        .where(and(eq(audit.tenantId, scope.tenantId), eq(audit.id, waiting.at(-1)?.id ?? "")));
      const { chain } = chainOf(scope);
      await chain.extend();
      const seqs = (await rows(scope)).map(({ seq }) => seq);
      expect(new Set(seqs).size).toBe(seqs.length);
      expect(seqs).not.toContain(null);
      expect((await getAudit(scope, first.id)).seq).toBe(3);
    });
  });
}
