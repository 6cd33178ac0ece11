import fc from "fast-check";
import { expect, it } from "vitest";
import { safeAlarmMs } from "./alarm.ts";

const ms = fc.double({ min: 0, max: 4e12, noNaN: true });
const whole = fc.integer({ min: 0, max: 4_000_000_000_000 });

it("is whole, later than now and than the alarm that runs, and never before what is due", () => {
  fc.assert(
    fc.property(ms, whole, whole, (dueMs, nowMs, scheduledMs) => {
      const at = safeAlarmMs(dueMs, nowMs, scheduledMs);
      expect(Number.isInteger(at)).toBe(true);
      expect(at).toBeGreaterThan(nowMs);
      expect(at).toBeGreaterThan(scheduledMs);
      expect(at).toBeGreaterThanOrEqual(dueMs);
    }),
  );
});

it("A2: is no later than it must be", () => {
  fc.assert(
    fc.property(whole, whole, (dueMs, nowMs) => {
      expect(safeAlarmMs(dueMs, nowMs, 0)).toBe(Math.max(dueMs, nowMs + 1));
    }),
  );
});
