/**
 * What an invocation that goes on from another one's journal knows of where it came from.
 *
 * Its prefix is in its own journal, as steps of attempt 0 that cost nothing: a run of it is a run
 * like any other, and the invocation it came from may be erased without it.
 */

/** Kept in the invocation's row. */
export type Branch = {
  /** `fork`: something is another on purpose. `resume`: the same work goes on (DECISIONS 12). */
  readonly how: "fork" | "resume";
  readonly from: string;
  /** Begins the keys of its tools' effects: of a resumed run those of the first one (DECISIONS 13). */
  readonly origin?: string;
  /** The turn whose history the model sees; its own when absent. */
  readonly before?: { readonly sessionId: string; readonly turn: number };
  /** The first step that was not taken over; null when all were, or none. */
  readonly step: string | null;
  readonly changes: Changes;
};

/** What of the version's spec is another. */
export type Changes = { readonly model?: string; readonly instructions?: string };

export function branchIn(column: string): Branch {
  return JSON.parse(column) as Branch; // our own row
}

/** The invocation a fork was made from; null for all others. */
export function forkedFrom(column: string | null): string | null {
  if (column === null) return null;
  const { how, from } = branchIn(column);
  return how === "fork" ? from : null;
}
