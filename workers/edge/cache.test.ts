import { expect, it } from "vitest";
import { ReadCache } from "./cache.ts";

type Row = { readonly n: number };

/** Reads that end when the test says so. */
function slowReads() {
  const open: { readonly end: (row: Row | undefined) => void; readonly fail: () => void }[] = [];
  const read = () =>
    new Promise<Row | undefined>((end, fail) => {
      open.push({ end, fail: () => fail(new Error("the store is down")) });
    });
  return { open, read };
}

it("G10: an entry is as old as the start of its read, not as its end", async () => {
  const cache = new ReadCache<Row>(5000, 10);
  const { open, read } = slowReads();
  const first = cache.get("key", 1000, read);
  open[0]?.end({ n: 1 });
  expect(await first).toEqual({ n: 1 });
  expect(cache.get("key", 5999, read)).toEqual({ n: 1 });
  expect(cache.get("key", 6000, read)).toBeInstanceOf(Promise);
});

it("asks once for however many want the same at once", async () => {
  const cache = new ReadCache<Row>(5000, 10);
  const { open, read } = slowReads();
  const all = Array.from({ length: 50 }, async () => cache.get("key", 1000, read));
  expect(open).toHaveLength(1);
  open[0]?.end({ n: 1 });
  expect(await Promise.all(all)).toEqual(all.map(() => ({ n: 1 })));
});

it("waits on nobody's read for longer than a second: its request may be gone", () => {
  const cache = new ReadCache<Row>(5000, 10);
  const { open, read } = slowReads();
  void cache.get("key", 1000, read);
  void cache.get("key", 1999, read);
  expect(open).toHaveLength(1);
  void cache.get("key", 2000, read);
  expect(open).toHaveLength(2);
});

it("hands every read it begins to the shell, and a failed one rejects nowhere unseen", async () => {
  const cache = new ReadCache<Row>(5000, 10);
  const { open, read } = slowReads();
  const kept: Promise<unknown>[] = [];
  const found = cache.get("key", 1000, read, (promise) => kept.push(promise));
  open[0]?.fail();
  await expect(found).rejects.toThrow("the store is down");
  expect(await kept[0]).toBeUndefined();
  expect(cache.get("key", 1000, read)).toBeInstanceOf(Promise);
  expect(open).toHaveLength(2);
});

it("does not keep absence: what was just made is found", async () => {
  const cache = new ReadCache<Row>(5000, 10);
  expect(await cache.get("key", 1000, async () => undefined)).toBeUndefined();
  expect(await cache.get("key", 1000, async () => ({ n: 2 }))).toEqual({ n: 2 });
});

it("G10: keeps nothing at all when the time is 0", async () => {
  const cache = new ReadCache<Row>(0, 10);
  const { open, read } = slowReads();
  const first = cache.get("key", 1000, read);
  const second = cache.get("key", 1000, read);
  expect(open).toHaveLength(2);
  for (const it of open) it.end({ n: 1 });
  await Promise.all([first, second]);
  expect(cache.size).toBe(0);
});

it("a read that was under way when its key was forgotten is not kept", async () => {
  const cache = new ReadCache<Row>(5000, 10);
  const { open, read } = slowReads();
  const old = cache.get("key", 1000, read);
  cache.forget("key");
  open[0]?.end({ n: 1 });
  expect(await old).toEqual({ n: 1 });
  expect(cache.size).toBe(0);
});

it("forgets all keys of a prefix and no other, reads under way included", async () => {
  const cache = new ReadCache<Row>(5000, 10);
  for (const key of ["a 1", "a 2", "ab 1"]) await cache.get(key, 1000, async () => ({ n: 1 }));
  const { open, read } = slowReads();
  const old = cache.get("a 3", 1000, read);
  cache.forgetAll("a ");
  open[0]?.end({ n: 1 });
  expect(await old).toEqual({ n: 1 });
  expect(cache.size).toBe(1);
  expect(cache.get("ab 1", 1000, async () => undefined)).toEqual({ n: 1 });
});

it("an overtaken read does not replace what a later one found", async () => {
  const cache = new ReadCache<Row>(5000, 10);
  const { open, read } = slowReads();
  const old = cache.get("key", 1000, read);
  const late = cache.get("key", 3000, read);
  open[1]?.end({ n: 2 });
  await late;
  open[0]?.end({ n: 1 });
  await old;
  expect(cache.get("key", 3000, read)).toEqual({ n: 2 });
});

it("is bounded: the oldest makes room", async () => {
  const cache = new ReadCache<Row>(5000, 3);
  for (let n = 0; n < 10; n += 1) await cache.get(`key ${n}`, 1000, async () => ({ n }));
  expect(cache.size).toBe(3);
  expect(cache.get("key 9", 1000, async () => undefined)).toEqual({ n: 9 });
});

it("a clock that steps back makes nothing live longer", async () => {
  const cache = new ReadCache<Row>(5000, 10);
  await cache.get("key", 10_000, async () => ({ n: 1 }));
  expect(cache.get("key", 4000, async () => ({ n: 2 }))).toBeInstanceOf(Promise);
});
