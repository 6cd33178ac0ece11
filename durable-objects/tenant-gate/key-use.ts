/**
 * How keys were used, by day and outcome. Isolates count and tell in batches, so an isolate that
 * dies takes the last seconds with it: an account of use, not of money.
 */
import { KeyCode } from "../../core/keys/contract.ts";
import type { KeyUse } from "../../core/keys/use.ts";

/** What is older is forgotten. */
const KEPT_DAYS = 400;
const DAY_MS = 86_400_000;

type UseRow = {
  readonly key_id: string;
  readonly day: string;
  readonly code: string;
  readonly count: number;
  readonly last_ms: number;
};

export function countUses(storage: DurableObjectStorage, uses: readonly KeyUse[]): void {
  storage.transactionSync(() => {
    for (const { keyId, day, code, count, lastMs } of uses) {
      storage.sql.exec(
        `INSERT INTO key_use VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
           count = count + excluded.count, last_ms = max(last_ms, excluded.last_ms)`,
        keyId,
        day,
        code,
        count,
        lastMs,
      );
    }
    const latestMs = Math.max(0, ...uses.map(({ lastMs }) => lastMs));
    const oldest = new Date(latestMs - KEPT_DAYS * DAY_MS).toISOString().slice(0, 10);
    storage.sql.exec("DELETE FROM key_use WHERE day < ?", oldest);
  });
}

export function usesSince(
  storage: DurableObjectStorage,
  keyId: string,
  sinceDay: string,
): readonly KeyUse[] {
  const rows = storage.sql.exec<UseRow>(
    "SELECT * FROM key_use WHERE key_id = ? AND day >= ? ORDER BY day, code",
    keyId,
    sinceDay,
  );
  return rows.toArray().map((row) => ({
    keyId: row.key_id,
    day: row.day,
    code: KeyCode.parse(row.code),
    count: row.count,
    lastMs: row.last_ms,
  }));
}
