/** From what went wrong at an upstream to what becomes of the run. */
import type { ProblemData } from "../../../core/problem.ts";
import { retries, retryDelayMs } from "../../../core/runs/retry.ts";
import { UpstreamFailure } from "../../../core/upstreams/contract.ts";
import { retryAfterMs, type Verdict } from "../../../core/upstreams/verdict.ts";
import type { Fact } from "../events.ts";
import { RunFailure, Suspended } from "../failure.ts";
import { findInvocation } from "../invocations.ts";
import type { HttpClaim, Kernel } from "../kernel.ts";
import { finishStep, NO_COST } from "../steps.ts";
import { UPSTREAM_STEP, type Asked } from "./asked.ts";
import { doubtOf } from "./doubt.ts";

export class TimedOut extends Error {
  override readonly name = "TimeoutError";
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`);
  }
}

/** Nobody took the request. */
export function nobody(what: string): ProblemData {
  return { code: "upstream_failed", detail: `the upstream ${what}` };
}

type Away = {
  readonly problem: ProblemData;
  /** It was the probe of an upstream that is not there. */
  readonly probe: boolean;
  /** Present when a request was sent. */
  readonly sent?: true;
};

/** U3: another attempt soon, or, when those are used up, kept until the upstream is there. */
export function away(
  kernel: Kernel,
  claim: HttpClaim,
  { problem, probe, sent }: Away,
): RunFailure | Suspended {
  const { spec, upstream } = claim.installed;
  const { breakers } = kernel;
  const nowMs = kernel.now();
  const failures = claim.failures + 1;
  breakers.failed(upstream.name, nowMs, spec.upstream.breaker, problem.retryAfterMs);
  const { facts, record } = sent ? failedStep(kernel, claim, problem) : NOTHING;
  if (late(kernel, claim)) return new RunFailure(problem, true, facts, record);
  if (!breakers.closed(upstream.name)) {
    const parked = breakers.park(upstream.name, claim.id, probe);
    const both = (): void => {
      record();
      parked.record();
    };
    return new Suspended("upstream", parked.dueMs, facts, both, parked.told);
  }
  const kind = problem.code === "timeout" ? "timeout" : "unreachable";
  if (failures < spec.retry.attempts && retries(spec.retry, kind)) {
    return new RunFailure(problem, true, facts, record);
  }
  const delayMs = retryDelayMs(spec.retry, failures, problem.retryAfterMs, kernel.random());
  return new Suspended("upstream", nowMs + delayMs, facts, record, { upstream: upstream.name });
}

/** It was accepted so long ago that it is kept no longer. */
export function late(kernel: Kernel, claim: HttpClaim): boolean {
  const row = claim.row ?? findInvocation(kernel.sql, claim.id);
  const { keep_ms: keepMs } = claim.installed.spec.upstream;
  return row !== undefined && row.created_ms + keepMs < kernel.now();
}

type TurnedAway = {
  readonly response: Response;
  readonly verdict: Exclude<Verdict, "answered">;
  readonly probe: boolean;
};

/** It answered that it did nothing. */
export function turnedAway(
  kernel: Kernel,
  claim: HttpClaim,
  { response, verdict, probe }: TurnedAway,
): RunFailure | Suspended {
  const waitMs = retryAfterMs(response.headers, kernel.now());
  const problem: ProblemData = {
    ...nobody(`answered ${response.status}`),
    ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
  };
  if (verdict === "away") return away(kernel, claim, { problem, probe, sent: true });
  kernel.breakers.succeeded(claim.installed.upstream.name);
  const { facts, record } = failedStep(kernel, claim, problem);
  const kind = response.status === 429 ? "rate_limited" : "server_error";
  return new RunFailure(problem, retries(claim.installed.spec.retry, kind), facts, record);
}

type Thrown = {
  readonly error: unknown;
  readonly asked: Asked;
  readonly probe: boolean;
  readonly signal: AbortSignal;
};

/** No answer was had, or none that is taken. */
export function failureOf(
  kernel: Kernel,
  claim: HttpClaim,
  { error, asked, probe, signal }: Thrown,
): Error {
  if (error instanceof RunFailure || error instanceof Suspended) return error;
  if (!(error instanceof UpstreamFailure) && !signal.aborted) return asError(error);
  const reason = error instanceof UpstreamFailure ? error.reason : "unreachable";
  if (reason === "unready") {
    return away(kernel, claim, { problem: problemOf(error, signal), probe, sent: true });
  }
  if (reason === "unreachable") {
    const { upstream, spec } = claim.installed;
    if (asked.safe)
      return away(kernel, claim, { problem: problemOf(error, signal), probe, sent: true });
    kernel.breakers.failed(upstream.name, kernel.now(), spec.upstream.breaker);
    return doubtOf(kernel, claim, asked);
  }
  kernel.breakers.released(claim.installed.upstream.name);
  const problem = problemOf(error, signal);
  const { facts, record } = failedStep(kernel, claim, problem);
  return new RunFailure(problem, false, facts, record);
}

const NOTHING = { facts: [], record: (): void => {} };

/** The step as it ended, for the transaction that says what becomes of the run. */
export function failedStep(kernel: Kernel, claim: HttpClaim, { code, detail }: ProblemData) {
  const facts: Fact[] = [["step.finished", { key: UPSTREAM_STEP, state: "failed", code, detail }]];
  const record = (): void => {
    const output = { failure: { code, detail } };
    finishStep(kernel.sql, claim.id, UPSTREAM_STEP, "failed", output, NO_COST, kernel.now());
  };
  return { facts, record };
}

function problemOf(error: unknown, signal: AbortSignal): ProblemData {
  if (signal.reason instanceof TimedOut) {
    return { code: "timeout", detail: `the upstream gave ${signal.reason.message}` };
  }
  const detail = error instanceof UpstreamFailure ? error.message : "the upstream did not answer";
  return { code: "upstream_failed", detail };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
