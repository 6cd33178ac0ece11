import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Deadlines } from "./deadlines.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it("passes each deadline once, at its time, whatever the order they were set in", () => {
  const deadlines = new Deadlines();
  const passed: number[] = [];
  for (const waitMs of [30, 10, 20, 10]) deadlines.after(waitMs, () => passed.push(waitMs));
  vi.advanceTimersByTime(9);
  expect(passed).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(passed).toEqual([10, 10]);
  vi.advanceTimersByTime(100);
  expect(passed).toEqual([10, 10, 20, 30]);
});

it("does not pass what was cancelled, and leaves no timer behind when nothing is waited for", () => {
  const deadlines = new Deadlines();
  const passed: string[] = [];
  const cancel = deadlines.after(10, () => passed.push("near"));
  const other = deadlines.after(20, () => passed.push("far"));
  cancel();
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(15);
  other();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(100);
  expect(passed).toEqual([]);
});

it("keeps its time when one is set while another passes", () => {
  const deadlines = new Deadlines();
  const passed: string[] = [];
  deadlines.after(10, () => {
    passed.push("first");
    deadlines.after(5, () => passed.push("second"));
  });
  deadlines.after(100, () => passed.push("last"));
  vi.advanceTimersByTime(15);
  expect(passed).toEqual(["first", "second"]);
  vi.advanceTimersByTime(85);
  expect(passed).toEqual(["first", "second", "last"]);
});
