/**
 * What a principal is allowed and denied, under which conditions. Plain data: how it is weighed is
 * core/access/decide.ts.
 */
import type { Scope } from "./contract.ts";

export type Weekday = "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun";

/** When a statement counts; every member that is there must hold. */
export type TimeWindow = {
  readonly days?: readonly Weekday[] | undefined;
  /** `HH:MM` in `zone`, from included, to excluded. A window past midnight belongs to the day it began on. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** IANA name; `UTC` when absent. */
  readonly zone?: string | undefined;
  /** RFC 3339, included. */
  readonly not_before?: string | undefined;
  /** RFC 3339, excluded. */
  readonly not_after?: string | undefined;
};

export type Plain = string | number | boolean | null;

/** A demand on one place of an invocation's body; every member that is there must hold. */
export type ArgumentDemand = {
  /** RFC 6901, into `{input, metadata, session_id, max_cost_micros}`. */
  readonly pointer: string;
  readonly equals?: Plain | undefined;
  readonly in?: readonly Plain[] | undefined;
  readonly prefix?: string | undefined;
  /** Bounds of a number, or of a text that is a decimal number; both included. */
  readonly min?: number | undefined;
  readonly max?: number | undefined;
};

/** Demands on what a request is about; every member that is there must hold. */
export type Conditions = {
  /** Ids. */
  readonly tenants?: readonly string[] | undefined;
  readonly projects?: readonly string[] | undefined;
  readonly agents?: readonly string[] | undefined;
  /** Slugs. */
  readonly environments?: readonly string[] | undefined;
  /** Ids of principals; `self` is whoever asks. */
  readonly owners?: readonly string[] | undefined;
  readonly tags?:
    | {
        readonly any?: readonly string[] | undefined;
        readonly all?: readonly string[] | undefined;
        readonly none?: readonly string[] | undefined;
      }
    | undefined;
  readonly time?: TimeWindow | undefined;
  readonly arguments?: readonly ArgumentDemand[] | undefined;
};

/** One statement in effect for a principal. */
export type Grant = {
  readonly effect: "allow" | "deny";
  readonly scopes: readonly Scope[];
  /** Absent: always. */
  readonly when?: Conditions;
  /** Where it comes from: a role, its statement by position, and the assignment; null for membership. */
  readonly role: string;
  readonly statement: number;
  readonly assignment: string | null;
};
