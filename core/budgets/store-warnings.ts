import { record } from "../audit/store-record.ts";
import type { TenantScope } from "../db/scope.ts";

/** A threshold of a budget that was reached. */
type Reached = {
  readonly rule: string;
  readonly pct: number;
  readonly used: number;
  readonly cap: number;
};

/** Into the trail, as the platform's own doing: `GET /v1/audit?action=budget.threshold_reached`. */
export async function recordWarning(
  scope: TenantScope,
  { rule, pct, used, cap }: Reached,
  nowMs: number,
): Promise<void> {
  const detail = { percent: pct, spent_micros: used, amount_micros: cap };
  const fact = { action: "budget.threshold_reached", kind: "budget", id: rule, detail };
  await record(scope, fact, nowMs);
}
