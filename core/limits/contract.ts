/** What a credential may use up. The tenant's gate counts it (durable-objects/tenant-gate/). */

/** So many whole units in each period; they may come at once. */
export type Rate = { readonly limit: number; readonly periodMs: number };

/** A number of units as somebody set it; what is left of them only the gate knows. */
export type CreditBudget = {
  readonly units: number;
  /** Counts how often it was set: a later one replaces what the gate has, the same one does not. */
  readonly revision: number;
  readonly setAtMs: number;
  /** Each `intervalMs` after `setAtMs` what is left is filled up to `amount`; null for never. */
  readonly refill: { readonly amount: number; readonly intervalMs: number } | null;
};

export type Credits = { readonly remaining: number; readonly refillsAtMs: number | null };

/** The limits of one credential. */
export type Meter = {
  /** Names its counters inside the tenant; a rotated key goes on with those of its first. */
  readonly subject: string;
  readonly rates: readonly Rate[];
  readonly credits: CreditBudget | null;
};
