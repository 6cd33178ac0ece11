import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pack, unpack } from "./content.ts";
import {
  appendEvents,
  DELTA_RETENTION_MS,
  dropDeltas,
  nextSeq,
  packEvents,
  readEvents,
  type Fact,
} from "./events.ts";
import { Sql } from "./sql.ts";

/** A real object's database, with the schema it gave itself. */
function withSql<T>(body: (sql: Sql) => T): Promise<T> {
  const stub = env.AGENT_RUNTIME.getByName("events");
  return runInDurableObject(stub, (_object, { storage }) => body(new Sql(storage, false)));
}

const fact = fc.oneof(
  fc.record({ text: fc.string() }).map((data): Fact => ["message.delta", data]),
  fc.record({ key: fc.string() }).map((data): Fact => ["step.finished", data]),
);
/** Transactions of a run: each writes one row of one or more facts. */
const transactions = fc.array(fc.array(fact, { minLength: 1, maxLength: 4 }), { maxLength: 12 });

/** An accept tells of no words. */
const OPENING: readonly Fact[] = [
  ["invocation.accepted", {}],
  ["run.started", { attempt: 1 }],
];

let runs = 0;
/** A log as a run leaves it: what fits into the invocation's row, and rows between. */
function write(sql: Sql, log: readonly (readonly Fact[])[]): string {
  const id = `inv_${(runs += 1)}`;
  insert(sql, { id, opening: packEvents(sql, id, 1, OPENING), opened: OPENING.length, deltas: 1 });
  for (const facts of log.slice(0, -1)) appendEvents(sql, id, nextSeq(sql, id), facts, 0);
  const closing = log.at(-1);
  if (closing === undefined) return id;
  const closed = nextSeq(sql, id);
  const last = packEvents(sql, id, closed, closing);
  sql.run("UPDATE invocation SET closing = ?, closed = ? WHERE id = ?", last, closed, id);
  return id;
}

describe("the event log", () => {
  it("G15: numbers facts from 1 without a gap, and read after any one is the rest", () =>
    withSql((sql) => {
      fc.assert(
        fc.property(transactions, fc.nat(50), (log, cut) => {
          const id = write(sql, log);
          const all = readEvents(sql, id, 0);
          expect(all.map(({ event, data }) => [event, data])).toEqual([...OPENING, ...log.flat()]);
          expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index + 1));
          expect(readEvents(sql, id, cut)).toEqual(all.slice(cut));
        }),
      );
    }));

  it("G15: read in pieces of any size is the log", () =>
    withSql((sql) => {
      fc.assert(
        fc.property(transactions, fc.integer({ min: 1, max: 5 }), (log, rows) => {
          const id = write(sql, log);
          const read = [];
          for (;;) {
            const piece = readEvents(sql, id, read.at(-1)?.seq ?? 0, rows);
            if (piece.length === 0) break;
            read.push(...piece);
          }
          expect(read).toEqual(readEvents(sql, id, 0, 1000));
        }),
      );
    }));

  it("keeps all but the words of what ended an hour ago, under their numbers", () =>
    withSql((sql) => {
      fc.assert(
        fc.property(transactions, (log) => {
          const id = write(sql, log);
          const all = readEvents(sql, id, 0);
          end(sql, id, 0);
          dropDeltas(sql, DELTA_RETENTION_MS, 10_000);
          expect(readEvents(sql, id, 0)).toEqual(
            all.filter(({ event }) => event !== "message.delta"),
          );
        }),
        { numRuns: 50 },
      );
    }));

  it("drops no words before their time, and the oldest first when there are many", () =>
    withSql((sql) => {
      const words: Fact[][] = [[["message.delta", { text: "a" }]]];
      const ids = [30, 10, 20].map((endedMs) => {
        const id = write(sql, words);
        end(sql, id, endedMs);
        return id;
      });
      const left = () => ids.filter((id) => readEvents(sql, id, OPENING.length).length > 0);
      dropDeltas(sql, 10, 10);
      expect(left()).toEqual(ids);
      dropDeltas(sql, 100, 1);
      expect(left()).toEqual([ids[0], ids[2]]);
      dropDeltas(sql, 100, 10);
      expect(left()).toEqual([]);
    }));
});

describe("packed text", () => {
  it("is unpacked to itself, whatever it is and however long", () =>
    withSql((sql) => {
      const piece = fc.oneof(fc.string({ unit: "grapheme" }), fc.constant("😀".repeat(150_000)));
      const text = fc.array(piece, { maxLength: 5 }).map((pieces) => `x${pieces.join("")}`);
      fc.assert(
        fc.property(text, fc.nat(), (whole, ref) => {
          const packed = pack(sql, `ref-${ref}`, whole);
          expect(unpack(sql, packed) === whole).toBe(true);
          sql.run("DELETE FROM content");
        }),
        { numRuns: 40 },
      );
    }));

  it("that looks like a reference is still itself", () =>
    withSql((sql) => {
      for (const text of ["@ref", "=", "", "=@x"])
        expect(unpack(sql, pack(sql, "r", text))).toBe(text);
    }));
});

/** The invocation has ended: from here on its words are dropped after an hour. */
function end(sql: Sql, id: string, endedMs: number): void {
  sql.run("UPDATE invocation SET completed_ms = ? WHERE id = ?", endedMs, id);
}

/** A row with these columns, and something harmless in the others. */
function insert(sql: Sql, given: Readonly<Record<string, string | number | null>>): void {
  const columns = sql.all<{ name: string; notnull: number }>("PRAGMA table_info(invocation)");
  const values = columns.map(({ name, notnull }) => given[name] ?? (notnull === 1 ? 0 : null));
  sql.run(`INSERT INTO invocation VALUES (${columns.map(() => "?").join(", ")})`, ...values);
}
