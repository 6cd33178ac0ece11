import type { Kernel } from "./kernel.ts";

/** What a suspended run waited for is there: it is due. `Runner.due` then takes it up. */
export function resume({ sql }: Pick<Kernel, "sql">, id: string, nowMs: number): void {
  sql.run("UPDATE invocation SET due_ms = ? WHERE id = ? AND status = 'waiting'", nowMs, id);
}
