/**
 * Is a chain what it was when it was chained? Pure: over rows of the store, or over the lines of an
 * exported file.
 *
 * A chain alone proves that it is consistent with itself: whoever may write every row can chain
 * anew from any entry on. What makes that visible is a mark from elsewhere, a signed checkpoint or
 * the head that the tenant's gate remembers.
 */
import { hashOf } from "./chain.ts";
import type { AuditEntry, Fault, Mark } from "./contract.ts";

export type Followed = {
  /** The last entry that was right; what the next part starts from. */
  readonly head: Mark | null;
  /** Entries recomputed. */
  readonly entries: number;
  /** Entries without a place yet. */
  readonly unchained: number;
  /** Marks that were passed and fit. */
  readonly marks: number;
  /** The first thing that is wrong; nothing after it was looked at. */
  readonly fault?: Fault;
};

type Entries = AsyncIterable<AuditEntry> | Iterable<AuditEntry>;

/**
 * Recompute `entries`, in their order, from what comes after `from`.
 *
 * @param from   The mark they follow, believed; null for a chain from its first entry.
 * @param marks  What the chain must be up to at some of its places, by `seq`.
 */
export async function followChain(
  entries: Entries,
  from: Mark | null,
  marks: ReadonlyMap<number, string> = new Map(),
): Promise<Followed> {
  let head = from;
  const count = { entries: 0, unchained: 0, marks: 0 };
  for await (const entry of entries) {
    if (entry.seq === null) {
      count.unchained += 1;
      continue;
    }
    const fault = await faultOf(entry, head, marks);
    if (fault !== undefined) return { head, ...count, fault };
    head = { seq: entry.seq, hash: entry.hash ?? "" };
    count.entries += 1;
    if (marks.has(entry.seq)) count.marks += 1;
  }
  return { head, ...count };
}

/**
 * What the end of a chain lacks of a mark beyond it, or how it differs from one at its end: a tail
 * that was cut off leaves the rest consistent.
 */
export function endFault(head: Mark | null, mark: Mark | null): Fault | undefined {
  if (mark === null) return undefined;
  const seq = head?.seq ?? 0;
  if (seq < mark.seq) return { seq: seq + 1, id: null, what: "missing" };
  if (seq > mark.seq || head?.hash === mark.hash) return undefined;
  return { seq, id: null, what: "head" };
}

async function faultOf(
  entry: AuditEntry,
  previous: Mark | null,
  marks: ReadonlyMap<number, string>,
): Promise<Fault | undefined> {
  const next = (previous?.seq ?? 0) + 1;
  const { seq, id } = entry;
  if (seq === null || seq > next) return { seq: next, id: null, what: "missing" };
  if (seq < next || entry.previous_hash !== (previous?.hash ?? null)) {
    return { seq, id, what: (await intact(entry)) ? "unlinked" : "altered" };
  }
  if (!(await intact(entry))) return { seq, id, what: "altered" };
  const mark = marks.get(seq);
  return mark === undefined || mark === entry.hash ? undefined : { seq, id, what: "checkpoint" };
}

async function intact(entry: AuditEntry): Promise<boolean> {
  return entry.hash === (await hashOf(entry));
}
