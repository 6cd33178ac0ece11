import { evictDurableObject, reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CreditBudget, Meter } from "../../core/limits/contract.ts";
import { gateName, type Spending } from "./contract.ts";
import { gateStub } from "./stub.ts";

const TENANT = "ten_acme";
const DAY_MS = 86_400_000;
const budget = (units: number, revision = 1, part: Partial<CreditBudget> = {}): CreditBudget => ({
  units,
  revision,
  setAtMs: Date.now(),
  refill: null,
  ...part,
});
const meter = (credits: CreditBudget | null, part: Partial<Meter> = {}): Meter => ({
  subject: "key_1",
  rates: [],
  credits,
  ...part,
});

const gate = () => gateStub(env, TENANT);
const stub = () => env.TENANT_GATE.getByName(gateName(TENANT));
const spend = (of: Meter, part: Partial<Spending> = {}) =>
  gate().spend(TENANT, { meter: of, credits: 1, ...part });
const giveBack = (charge?: string, revision = 1) =>
  gate().giveBack(TENANT, {
    subject: "key_1",
    credits: 1,
    revision,
    ...(charge === undefined ? {} : { charge }),
  });
const left = async (of: CreditBudget) => (await gate().creditsLeft(TENANT, "key_1", of)).remaining;
const charges = () =>
  runInDurableObject(stub(), (_gate, { storage }) =>
    storage.sql.exec("SELECT id, uses FROM charge ORDER BY id").toArray(),
  );

beforeEach(async () => {
  await reset();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the credits a gate counts", () => {
  it("C1: are taken with the rates or not at all", async () => {
    const both = meter(budget(5), { rates: [{ limit: 2, periodMs: DAY_MS }] });
    expect(await spend(both)).toMatchObject({ ok: true, rates: [1], credits: { remaining: 4 } });
    expect(await spend(both)).toMatchObject({ ok: true, rates: [0], credits: { remaining: 3 } });
    expect(await spend(both)).toMatchObject({ ok: false, reason: "rate", rates: [0] });
    expect(await left(budget(5))).toBe(3);
    const poor = meter(budget(0), { subject: "key_2", rates: [{ limit: 2, periodMs: DAY_MS }] });
    expect(await spend(poor)).toMatchObject({ ok: false, reason: "credits" });
    expect(await spend(poor, { credits: 0 })).toMatchObject({ ok: true, rates: [1] });
  });

  it("C1: survive an eviction, and are exact for any number of callers", async () => {
    const of = meter(budget(9));
    const answers = await Promise.all(Array.from({ length: 40 }, () => spend(of)));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(9);
    await evictDurableObject(stub());
    expect((await spend(of)).ok).toBe(false);
  });

  it("C2: are set anew by a later revision, and by it alone", async () => {
    await spend(meter(budget(5)));
    expect(await left(budget(50, 1))).toBe(4);
    expect(await left(budget(50, 2))).toBe(50);
    expect(await left(budget(5, 1))).toBe(50);
    await giveBack(undefined, 1);
    expect(await left(budget(50, 2))).toBe(50);
    await spend(meter(budget(50, 2)));
    await giveBack(undefined, 2);
    expect(await left(budget(50, 2))).toBe(50);
  });

  it("C3: are taken once for a name, and given back when all its requests came to nothing", async () => {
    const of = meter(budget(1));
    const answers = [await spend(of, { charge: "a" }), await spend(of, { charge: "a" })];
    expect(answers).toMatchObject([{ ok: true }, { ok: true, credits: { remaining: 0 } }]);
    expect(await charges()).toEqual([{ id: "a", uses: 2 }]);
    expect((await spend(of, { charge: "b" })).ok).toBe(false);
    await giveBack("a");
    expect([await left(budget(1)), await charges()]).toEqual([0, [{ id: "a", uses: 1 }]]);
    await giveBack("a");
    expect([await left(budget(1)), await charges()]).toEqual([1, []]);
    await giveBack("a");
    await giveBack("never");
    expect(await left(budget(1))).toBe(1);
  });

  it("C3: names are forgotten after eight days, not before", async () => {
    const startMs = Date.now();
    vi.useFakeTimers({ now: startMs, toFake: ["Date"] });
    const of = meter(budget(9));
    await spend(of, { charge: "a" });
    vi.setSystemTime(startMs + 8 * DAY_MS - 1);
    await spend(of, { charge: "b" });
    expect(await charges()).toEqual([
      { id: "a", uses: 1 },
      { id: "b", uses: 1 },
    ]);
    vi.setSystemTime(startMs + 8 * DAY_MS + 600_000);
    await spend(of, { charge: "c" });
    expect(await charges()).toMatchObject([{ id: "b" }, { id: "c" }]);
  });

  it("are filled up at the end of each interval, which none of it moves", async () => {
    const startMs = Date.now();
    vi.useFakeTimers({ now: startMs, toFake: ["Date"] });
    const refill = { amount: 2, intervalMs: 60_000 };
    const of = budget(1, 1, { setAtMs: startMs, refill });
    await spend(meter(of));
    const refused = await spend(meter(of));
    expect(refused).toMatchObject({ ok: false, retryAfterMs: 60_000 });
    expect(await spend(meter(of), { credits: 3 })).toMatchObject({ retryAfterMs: null });
    vi.setSystemTime(startMs + 150_000);
    expect(await gate().creditsLeft(TENANT, "key_1", of)).toEqual({
      remaining: 2,
      refillsAtMs: startMs + 180_000,
    });
  });

  it("T1: are of one tenant", async () => {
    await spend(meter(budget(5)));
    const theirs = runInDurableObject(stub(), (one) =>
      one.spend("ten_globex", { meter: meter(budget(5)), credits: 1 }),
    );
    await expect(theirs).rejects.toThrow("another tenant's gate");
  });
});
