/** What a tenant's gate can be asked. Refusals are values. */

/** The one gate of a tenant. Ids, never slugs (DECISIONS 1). */
export function gateName(tenantId: string): string {
  return JSON.stringify([tenantId]);
}

/** So many units of one subject's limit. */
export type Demand = {
  /** Names the counter inside the tenant: `key/key_…/60000`. */
  readonly subject: string;
  /** Whole units per period, 0 to 1,000,000; they may come at once. */
  readonly limit: number;
  readonly periodMs: number;
  /** 1 unless said. */
  readonly cost?: number;
};

export type Admitted = {
  readonly ok: true;
  /** For each demand, what would still be admitted at once. */
  readonly remaining: readonly number[];
};

export type RateRefusal = {
  readonly ok: false;
  /** Until the demands can be met as far as rates go; the period where waiting never helps. */
  readonly retryAfterMs: number;
  /** The one that must wait longest. */
  readonly subject: string;
};

export interface TenantGateRpc {
  /** Is this the gate of that tenant? A new gate becomes it. */
  settle(tenantId: string): Promise<boolean>;
  /** Take all of these or none; exact under parallel load, refusals cost nothing. */
  admit(tenantId: string, demands: readonly Demand[]): Promise<Admitted | RateRefusal>;
}
