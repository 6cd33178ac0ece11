/** What a tenant's gate can be asked. Refusals are values. */
import type { Refusal } from "../../core/problem.ts";
import type {
  Acknowledged,
  ObjectCursor,
  ObjectPage,
  ObjectRow,
} from "../agent-runtime/contract.ts";
import type { CreditBudget, Credits, Meter } from "../../core/limits/contract.ts";
import type { KeyUse } from "../../core/keys/use.ts";
import type { LeasesRpc } from "./contract-leases.ts";
import type { Checkpoint, Mark } from "../../core/audit/contract.ts";

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

/** One request of a credential that has limits of its own. */
export type Spending = {
  readonly meter: Meter;
  /** Units of its credits; each of its rates counts one request. */
  readonly credits: number;
  /** Names a request that may be repeated: it is paid for once. */
  readonly charge?: string;
};

export type Spent = {
  readonly ok: true;
  /** For each rate of the meter, what would still be admitted at once. */
  readonly rates: readonly number[];
  readonly credits: Credits | null;
};

export type SpendRefusal = Omit<Spent, "ok"> & {
  readonly ok: false;
  readonly reason: "rate" | "credits";
  /** Null when waiting does not help. */
  readonly retryAfterMs: number | null;
};

/** Credits of a request that came to nothing. */
export type Returned = {
  readonly subject: string;
  readonly credits: number;
  /** The budget's they were taken from. */
  readonly revision: number;
  readonly charge?: string;
};

/** The last entry that was chained; null before the first. */
export type Head = { readonly head: Mark | null };

export interface TenantGateRpc extends LeasesRpc {
  /** Is this the gate of that tenant? A new gate becomes it. */
  settle(tenantId: string): Promise<boolean>;
  /** Take all of these or none; exact under parallel load, refusals cost nothing. */
  admit(tenantId: string, demands: readonly Demand[]): Promise<Admitted | RateRefusal>;
  /** The same for a credential's own rates and credits, both or neither. */
  spend(tenantId: string, spending: Spending): Promise<Spent | SpendRefusal>;
  giveBack(tenantId: string, returned: Returned): Promise<void>;
  /** What is left of a budget; a later revision than the gate knows takes effect. */
  creditsLeft(tenantId: string, subject: string, budget: CreditBudget): Promise<Credits>;
  /** Add to what is counted of keys. */
  count(tenantId: string, uses: readonly KeyUse[]): Promise<void>;
  /** What was counted of a key since a UTC day, day by day. */
  usesOf(tenantId: string, keyId: string, sinceDay: string): Promise<readonly KeyUse[]>;
  /** Chain what waits in the tenant's trail; answers the head. Again is no change. */
  chain(tenantId: string): Promise<Head>;
  /** The head as the gate remembers it. */
  head(tenantId: string): Promise<Head>;
  /** Chain what waits and sign the head; null for an empty chain, and where no key signs. */
  checkpoint(tenantId: string): Promise<{ readonly checkpoint: Checkpoint | null }>;
  /** Its rows, in one order always. */
  exportPage(tenantId: string, cursor?: ObjectCursor): Promise<ObjectPage | Refusal>;
  /** Rows into a gate that is nobody's, or that `transfer` began to fill. */
  importPage(
    tenantId: string,
    transfer: string,
    rows: readonly ObjectRow[],
  ): Promise<Acknowledged | Refusal>;
  /** Nothing of it is left: the next call meets a new gate. Again is no error. */
  erase(tenantId: string): Promise<Acknowledged>;
}
