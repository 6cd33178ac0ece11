/**
 * How agents' objects hold parts of what is limited for more than one of them.
 *
 * A holder and the gate keep one account each of the same lease. Every number that crosses between
 * them only ever grows (`granted`, `returned`, `used`), so that a message that is lost, doubled or
 * late changes nothing: the higher number is the newer one.
 */

/** One allowance in one period. */
export type LeaseName = { readonly id: string; readonly sinceMs: number };

/** What a holder has of it. Free is `granted - returned - used - held`. */
export type Account = LeaseName & {
  readonly granted: number;
  readonly returned: number;
  readonly used: number;
  /** Reserved for what is under way; the one number that may fall. */
  readonly held: number;
};

/** A holder asks for more. */
export type Want = Account & {
  readonly rule: string;
  readonly kind: "rate" | "concurrency" | "money";
  readonly cap: number;
  readonly revision: number;
  readonly endsMs: number | null;
  readonly warnAtPct: readonly number[];
  /** At least so many units. */
  readonly need: number;
};

/** What it got: all, a part, or nothing. */
export type Grant = LeaseName & {
  readonly granted: number;
  /** There was less than it needs. */
  readonly short: boolean;
  /** What nobody holds. */
  readonly left: number;
};

/** The cap of a rule as it is now; a null cap is of one that is no more. */
export type Resized = {
  readonly rule: string;
  readonly revision: number;
  readonly cap: number | null;
  readonly warnAtPct: readonly number[];
};

/** What is used of a rule, for one subject in one period. */
export type AllowanceUse = LeaseName & {
  readonly endsMs: number | null;
  readonly cap: number;
  readonly used: number;
  readonly held: number;
  readonly warnings: readonly { readonly pct: number; readonly atMs: number }[];
};

/** As it is asked of a holder: `granted` is what the gate has given in all. */
export type Asked = LeaseName & { readonly granted: number };

export type LeasesRpc = {
  /** More of what is wanted, from others that do not use theirs if it must be. */
  lease(tenantId: string, holder: string, wants: readonly Want[]): Promise<readonly Grant[]>;
  /** A holder tells what it has used and given back. */
  report(tenantId: string, holder: string, accounts: readonly Account[]): Promise<void>;
  /** A limit or a budget was changed, or removed. */
  resize(tenantId: string, resized: Resized): Promise<void>;
  /** What is used of a rule, newest period first; holders are asked. */
  used(
    tenantId: string,
    rule: string,
    page: { readonly subject?: string; readonly limit: number },
  ): Promise<readonly AllowanceUse[]>;
};
