import type { Branch } from "./branch.ts";
import type { Breakers } from "./breaker.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Clock } from "../../core/clock.ts";
import type { ModelMessage, ModelRequest } from "../../core/models/contract.ts";
import type { Faults } from "./faults.ts";
import { Fenced } from "./failure.ts";
import type { Feed } from "./feed.ts";
import type { HttpInstalled, Installed, LlmInstalled, Releases } from "./releases.ts";
import type { InvocationRow } from "./invocations.ts";
import type { Signer } from "./signer.ts";
import type { Spend } from "./spend.ts";
import type { Retained } from "./retention.ts";
import type { Sql } from "./sql.ts";
import type { FirstStep, StepCost } from "./steps.ts";
import type { LiveAnswers } from "./upstream/answers.ts";
import type { Health } from "./upstream/health.ts";
import type { Intake } from "./upstream/intake.ts";

/** What the object's modules work with. Made once by the object; nothing in it knows the class. */
export type Kernel = {
  readonly sql: Sql;
  readonly releases: Releases;
  readonly feed: Feed;
  readonly deadlines: Deadlines;
  readonly faults: Faults;
  readonly breakers: Breakers;
  /** What may begin now: an agent can be paused, its upstream down. */
  readonly intake: Intake;
  readonly health: Health;
  readonly answers: LiveAnswers;
  readonly now: Clock;
  /** Runs of this incarnation by invocation: the attempt that may speak, and its stop. */
  readonly running: Map<string, Running>;
  /** Invocations accepted, not terminal and not waiting; a count kept beside the rows so that none is read. */
  readonly open: { count: number };
  /** By the agent's rate limit, when the next request is due; undefined until a row was asked. */
  readonly rate: { tatUs: number | undefined };
  /** Did a request ever join another one's invocation? Undefined until the table was asked. */
  readonly joins: { known: boolean | undefined };
  /** What has had its time, and when something will have. */
  readonly retained: Retained;
  /** 0 ≤ x < 1, for jitter. */
  readonly random: () => number;
  /** SHA-256, base64url. Synchronous: it is used inside transactions (DECISIONS 29). */
  readonly sha256: (text: string) => string;
  readonly signer: Signer;
  /** What the tenant's limits and budgets leave room for. */
  readonly spend: Spend;
};

export type Running = {
  readonly attempt: number;
  /** Stops the calls that are under way now; absent between calls. */
  stop?: AbortController;
  /** The model call under way, and what it is taken to have cost if its answer never counts. */
  lost?: Lost;
};

export type Lost = { readonly key: string; cost(): StepCost };

/** One attempt at one invocation, as taken up. */
export type Claim<Of extends Installed = Installed> = {
  readonly id: string;
  readonly sessionId: string;
  readonly turn: number;
  readonly attempt: number;
  readonly failures: number;
  readonly installed: Of;
  /** The caller's messages of this turn. */
  readonly input: readonly ModelMessage[];
  readonly deltas: boolean;
  /** Micro-USD the invocation may cost, or undefined for no bound. */
  readonly maxCostMicros: number | undefined;
  /** Next event number. */
  seq: number;
  /** The first model request and its step, when the accept itself already marked it sent. */
  readonly first?: { readonly request: ModelRequest; readonly step: FirstStep };
  /** The row as accepted: what an end adds to it need not be read back. */
  readonly row?: InvocationRow;
  /** Present when it goes on from the journal of another invocation. */
  readonly branch?: Branch;
};

export type LlmClaim = Claim<LlmInstalled>;
export type HttpClaim = Claim<HttpInstalled>;

/** Whether its runtime is an endpoint: what it runs, and how, follows from this alone. */
export function isHttp(claim: Claim): claim is HttpClaim {
  return claim.installed.kind === "http";
}

/** Whether it runs models. */
export function isLlm(claim: Claim): claim is LlmClaim {
  return claim.installed.kind === "llm";
}

/** A3: may this attempt still write? */
export function current(kernel: Kernel, claim: Claim): boolean {
  return kernel.running.get(claim.id)?.attempt === claim.attempt;
}

/** Let a cancel reach the calls that begin now. @throws Fenced when this attempt is over already */
export function underWay(kernel: Kernel, claim: Claim, stop: AbortController, lost?: Lost): void {
  const running = kernel.running.get(claim.id);
  if (running?.attempt !== claim.attempt) throw new Fenced();
  running.stop = stop;
  if (lost) running.lost = lost;
  else delete running.lost;
}
