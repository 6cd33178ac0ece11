import type { InvocationRow } from "./invocations.ts";
import type { Kernel } from "./kernel.ts";
import type { Displaced } from "./session-policy.ts";
import { stopRow } from "./settle.ts";
import { askerOf } from "./spend.ts";

/** As much of the runner as ends a run. */
type Ends = { cancelled(ended: Displaced): void };

/**
 * End what is open and held by a stop that is thrown: `failed`, with the stop's reason. Calls that
 * are under way are cut off, and what they are taken to have cost is charged.
 */
export function stopOpen(kernel: Kernel, runner: Ends): void {
  if (!kernel.releases.live(0)?.release.rules?.stops.length) return;
  const open = kernel.sql.all<InvocationRow>("SELECT * FROM invocation WHERE pending = 1");
  for (const row of open) {
    const stop = kernel.spend.stopOf(askerOf(kernel.sql, row));
    if (stop === undefined) continue;
    const problem = { code: "stopped" as const, detail: `${stop.id}: ${stop.reason}` };
    const ended = kernel.sql.transaction(() => stopRow(kernel, row, problem, kernel.now()));
    if (ended) runner.cancelled({ row: ended, waited: row.status === "waiting" });
  }
}
