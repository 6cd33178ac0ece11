import { refuse, type Refusal } from "../../core/problem.ts";
import type { Installed } from "./releases.ts";

/** 402: one model call could cost more than the invocation may. */
export function overBudget(boundMicros: number): Refusal {
  return refuse(
    "budget_exceeded",
    `one model call could cost more than the ${boundMicros} micro-USD this invocation may`,
    { errors: [{ pointer: "/max_cost_micros", detail: "too low for one call" }] },
  );
}

/** The lower of the caller's bound and the spec's. */
export function boundOf(
  callers: number | null | undefined,
  installed: Installed,
): number | undefined {
  return lower(callers ?? undefined, installed.spec.limits.max_cost_micros);
}

export function lower(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}
