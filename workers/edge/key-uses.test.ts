import { describe, expect, it } from "vitest";
import type { KeyUse } from "../../core/keys/use.ts";
import { KeyUses } from "./key-uses.ts";

const NOON = Date.UTC(2026, 10, 20, 12);
const KEY = { tenantId: "ten_1", keyId: "key_1" };

/** A counter, what it told, and how many tellings it began. */
function counter(fails = false) {
  const told: (KeyUse & { tenantId: string })[] = [];
  const state = { fails, begun: 0 };
  const uses = new KeyUses(async (tenantId, batch) => {
    if (state.fails) throw new Error("away");
    told.push(...batch.map((use) => ({ ...use, tenantId })));
  });
  const keep = () => {
    state.begun += 1;
  };
  return { uses, told, state, keep };
}

describe("F35: the count of an isolate", () => {
  it("adds up by tenant, key, outcome and day, and is told once", async () => {
    const { uses, told, keep } = counter();
    for (let n = 0; n < 3; n += 1) uses.count(KEY, "VALID", NOON + n, keep);
    uses.count(KEY, "EXPIRED", NOON, keep);
    uses.count({ tenantId: "ten_2", keyId: "key_2" }, "VALID", NOON, keep);
    uses.count(KEY, "VALID", NOON + 86_400_000, keep);
    await uses.flush();
    await uses.flush();
    expect(told.map(({ tenantId, day, code, count }) => [tenantId, day, code, count])).toEqual([
      ["ten_1", "2026-11-20", "VALID", 3],
      ["ten_1", "2026-11-20", "EXPIRED", 1],
      ["ten_1", "2026-11-21", "VALID", 1],
      ["ten_2", "2026-11-20", "VALID", 1],
    ]);
    expect(told[0]?.lastMs).toBe(NOON + 2);
  });

  it("begins one telling for many uses, and another when that one was cut off", () => {
    const { uses, state, keep } = counter();
    for (let n = 0; n < 100; n += 1) uses.count(KEY, "VALID", NOON + n, keep);
    expect(state.begun).toBe(1);
    uses.count(KEY, "VALID", NOON + 30_000, keep);
    expect(state.begun).toBe(2);
  });

  it("keeps what could not be told", async () => {
    const { uses, told, state, keep } = counter(true);
    uses.count(KEY, "VALID", NOON, keep);
    await expect(uses.flush()).rejects.toThrow("away");
    uses.count(KEY, "VALID", NOON + 1, keep);
    state.fails = false;
    await uses.flush();
    expect(told).toMatchObject([{ count: 2, lastMs: NOON + 1 }]);
  });
});
