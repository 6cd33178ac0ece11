import type { Kept } from "../../core/audit/chaining.ts";

type Row = { seq: number; hash: string; signed_seq: number; signed_ms: number };

/** What the gate remembers of its tenant's chain: the one row of `chain`. */
export function keptIn({ sql }: DurableObjectStorage) {
  return {
    read(): Kept | undefined {
      const [row] = sql.exec<Row>("SELECT seq, hash, signed_seq, signed_ms FROM chain").toArray();
      if (row === undefined) return undefined;
      return { seq: row.seq, hash: row.hash, signedSeq: row.signed_seq, signedMs: row.signed_ms };
    },
    write({ seq, hash, signedSeq, signedMs }: Kept): void {
      const values = [seq, hash, signedSeq, signedMs];
      sql.exec("INSERT OR REPLACE INTO chain VALUES (1, ?, ?, ?, ?)", ...values);
    },
  };
}
