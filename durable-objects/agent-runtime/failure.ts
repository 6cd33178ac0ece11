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

/** This attempt no longer owns the invocation; whoever does will end it. */
export class Fenced extends Error {
  override readonly name = "Fenced";
}
