import type { ProblemData } from "../../core/problem.ts";
import type { Fact } from "./events.ts";

/** The run cannot go on. `retryable` decides between a retry and `failed`. */
export class RunFailure extends Error {
  override readonly name = "RunFailure";
  readonly problem: ProblemData;
  readonly retryable: boolean;
  readonly facts: readonly Fact[];
  /** Statements about the failed step, for the transaction that ends or postpones the run. */
  readonly record: () => void;
  constructor(
    problem: ProblemData,
    retryable: boolean,
    facts: readonly Fact[] = [],
    record: () => void = () => {},
  ) {
    super(problem.detail);
    this.problem = problem;
    this.retryable = retryable;
    this.facts = facts;
    this.record = record;
  }
}

/**
 * The run goes on from its journal at `dueMs`: no failure is counted, and a caller that waits for
 * the end goes on waiting.
 */
export class Again extends Error {
  override readonly name = "Again";
  /** Epoch ms. */
  readonly dueMs: number;
  readonly facts: readonly Fact[];
  readonly record: () => void;
  constructor(dueMs: number, facts: readonly Fact[], record: () => void) {
    super("again");
    this.dueMs = dueMs;
    this.facts = facts;
    this.record = record;
  }
}

/** This attempt no longer owns the invocation; whoever does will end it. */
export class Fenced extends Error {
  override readonly name = "Fenced";
}

/** What a run can wait for without being held in memory. */
export type WaitReason = "approval" | "sleep" | "callback" | "upstream" | "budget";

/**
 * The run goes on later, from its journal: when it is woken (`resume` in ./wake.ts) or at `dueMs`,
 * whichever is first. Nothing of it stays in memory and it counts as no failure.
 */
export class Suspended extends Error {
  override readonly name = "Suspended";
  readonly reason: WaitReason;
  /** Epoch ms; undefined to wait until somebody wakes it. */
  readonly dueMs: number | undefined;
  readonly facts: readonly Fact[];
  /** Statements about what it waits for, for the transaction that suspends the run. */
  readonly record: () => void;
  /** What `invocation.waiting` says beside the reason. */
  readonly told: Readonly<Record<string, string>>;
  constructor(
    reason: WaitReason,
    dueMs: number | undefined,
    facts: readonly Fact[] = [],
    record: () => void = () => {},
    told: Readonly<Record<string, string>> = {},
  ) {
    super(`waits for ${reason}`);
    this.reason = reason;
    this.dueMs = dueMs;
    this.facts = facts;
    this.record = record;
    this.told = told;
  }
}
