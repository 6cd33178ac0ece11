import { evictDurableObject, reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Demand, gateName } from "./contract.ts";
import { gateStub } from "./stub.ts";

const TENANT = "ten_acme";
const minute = (subject: string, limit: number): Demand => ({ subject, limit, periodMs: 60_000 });
const admit = (...demands: readonly Demand[]) => gateStub(env, TENANT).admit(TENANT, demands);
const stub = () => env.TENANT_GATE.getByName(gateName(TENANT));

const rows = () =>
  runInDurableObject(stub(), (_gate, { storage }) =>
    storage.sql.exec("SELECT * FROM rate ORDER BY subject").toArray(),
  );

beforeEach(async () => {
  await reset();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the limits of a tenant's gate", () => {
  it("F175: admit exactly the limit, from any number of parallel callers", async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => admit(minute("parallel", 17))),
    );
    expect(answers.filter(({ ok }) => ok)).toHaveLength(17);
    const left = answers.flatMap((answer) => (answer.ok ? answer.remaining : []));
    expect(left.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 17 }, (_, n) => n));
  });

  it("F175: take all demands of a call or none, and say who must wait longest", async () => {
    const scarce: Demand = { subject: "scarce", limit: 2, periodMs: 86_400_000 };
    for (let n = 0; n < 2; n += 1) await admit(minute("plenty", 10), scarce);
    const before = await rows();
    expect(await admit(minute("plenty", 10), scarce)).toMatchObject({
      ok: false,
      subject: "scarce",
    });
    expect(await admit(scarce, minute("none", 0))).toMatchObject({ ok: false, subject: "scarce" });
    expect(await rows()).toEqual(before);
    expect(await admit(minute("plenty", 10))).toEqual({ ok: true, remaining: [7] });
  });

  it("count two demands of one subject together", async () => {
    const both = [minute("twice", 3), minute("twice", 3)];
    expect(await admit(...both)).toEqual({ ok: true, remaining: [2, 1] });
    expect((await admit(...both)).ok).toBe(false);
    expect(await admit(minute("twice", 3))).toEqual({ ok: true, remaining: [0] });
  });

  it("take a cost at once, and never more than there is", async () => {
    expect(await admit({ ...minute("dear", 10), cost: 8 })).toEqual({ ok: true, remaining: [2] });
    expect((await admit({ ...minute("dear", 10), cost: 3 })).ok).toBe(false);
    expect(await admit({ ...minute("dear", 10), cost: 11 })).toMatchObject({
      retryAfterMs: 60_000,
    });
  });

  it("survive an eviction, and are forgotten once they say nothing any more", async () => {
    const startMs = Date.now();
    vi.useFakeTimers({ now: startMs, toFake: ["Date"] });
    await admit(minute("old", 1));
    await evictDurableObject(stub());
    const refused = await admit(minute("old", 1));
    expect(refused).toEqual({ ok: false, subject: "old", retryAfterMs: 60_000 });
    vi.setSystemTime(startMs + 120_000);
    await admit(minute("new", 1));
    expect(await rows()).toMatchObject([{ subject: "new" }]);
  });

  it("T1: are of one tenant and answer for no other", async () => {
    await admit(minute("mine", 5));
    const theirs = runInDurableObject(stub(), (gate) => gate.admit("ten_globex", []));
    await expect(theirs).rejects.toThrow("another tenant's gate");
    expect(await gateStub(env, TENANT).settle("ten_globex")).toBe(false);
  });
});
