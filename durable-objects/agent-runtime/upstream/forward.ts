/**
 * The run of an `http` agent: one request to its upstream, one answer (F91–F97, F107).
 *
 * U1  The step is recorded `sent` before the request is, and finished with the run's end.
 * U2  What may not be sent twice goes only to an upstream that is known to be there; when its
 *     answer is lost all the same, the outcome is unknown: people are asked, or the run says so.
 * U3  A request that nobody took is tried again by the retry policy, and then kept: it waits for
 *     the upstream without using up attempts, and is dead when that is not there after `keep_ms`.
 * U4  Every request of a run carries one `Idempotency-Key`, and says whether it is a repetition.
 */
import { storedBody } from "../../../core/upstreams/body.ts";
import { verdictOf } from "../../../core/upstreams/verdict.ts";
import { perform } from "../effects.ts";
import { appendEvents } from "../events.ts";
import { Fenced, RunFailure } from "../failure.ts";
import type { InvocationRow } from "../invocations.ts";
import { current, underWay, type HttpClaim, type Kernel } from "../kernel.ts";
import { giveUp } from "../settle.ts";
import { findStep, markSent } from "../steps.ts";
import { askedBy, UPSTREAM_STEP, type Asked } from "./asked.ts";
import { settleDoubt } from "./doubt.ts";
import { away, failureOf, late, nobody, TimedOut, turnedAway } from "./failures.ts";
import { happened, receive } from "./receive.ts";

export async function forward(
  kernel: Kernel,
  claim: HttpClaim,
): Promise<InvocationRow | undefined> {
  const asked = askedBy(kernel, claim);
  const known = demandUnsent(kernel, claim, asked);
  if (known !== undefined) return happened(kernel, claim, asked, known);
  if (kernel.health.down && late(kernel, claim)) return keptTooLong(kernel, claim);
  const { name } = claim.installed.upstream;
  const admittance = kernel.breakers.admit(name, kernel.now());
  if (!admittance.ok) {
    if (late(kernel, claim)) return keptTooLong(kernel, claim);
    throw kernel.breakers.park(name, claim.id, false);
  }
  const { probe } = admittance;
  if (!asked.safe && !(await kernel.health.reachable(claim.installed))) {
    if (!current(kernel, claim)) throw new Fenced();
    throw away(kernel, claim, { probe, problem: nobody("did not answer") });
  }
  sendStep(kernel, claim, asked);
  return exchange(kernel, claim, asked, probe);
}

/** The upstream is not there still. */
function keptTooLong(kernel: Kernel, claim: HttpClaim): InvocationRow | undefined {
  const problem = nobody(`was not there within ${claim.installed.spec.upstream.keep_ms} ms`);
  return kernel.sql.transaction(() => giveUp(kernel, claim, "dead", problem, [], kernel.now()));
}

/**
 * U2, and R2 of a run: the journal knows what was asked, and that it was.
 *
 * @returns  what came of it, where people know; undefined when it is to be sent
 */
function demandUnsent(kernel: Kernel, claim: HttpClaim, asked: Asked): string | undefined {
  const row = findStep(kernel.sql, claim.id, UPSTREAM_STEP);
  if (row === undefined) return undefined;
  if (row.input_hash !== hashOf(kernel, asked)) {
    throw new RunFailure(
      { code: "journal_mismatch", detail: "the request is another than the journal says" },
      false,
    );
  }
  if (asked.safe || (row.state !== "sent" && row.state !== "unknown")) return undefined;
  const said = settleDoubt(kernel, claim, asked);
  return said === "send" ? undefined : said.result;
}

/** U1. */
function sendStep(kernel: Kernel, claim: HttpClaim, asked: Asked): void {
  if (!current(kernel, claim)) throw new Fenced();
  const nowMs = kernel.now();
  const step = { key: UPSTREAM_STEP, kind: "upstream" as const, name: asked.outgoing.method };
  const { id: invocationId, attempt } = claim;
  kernel.sql.transaction(() => {
    markSent(kernel.sql, {
      ...step,
      invocationId,
      attempt,
      inputHash: hashOf(kernel, asked),
      nowMs,
    });
    appendEvents(kernel.sql, claim.id, claim.seq, [["step.started", step]], nowMs);
  });
  claim.seq += 1;
  kernel.feed.changed(claim.id);
}

async function exchange(
  kernel: Kernel,
  claim: HttpClaim,
  asked: Asked,
  probe: boolean,
): Promise<InvocationRow | undefined> {
  const { spec, upstream } = claim.installed;
  const { timeout_ms: timeoutMs } = spec.upstream;
  const stop = new AbortController();
  underWay(kernel, claim, stop);
  const inTime = kernel.deadlines.after(timeoutMs, () => stop.abort(new TimedOut(timeoutMs)));
  try {
    const headers = fieldsOf(claim, asked);
    const followsRedirects = !asked.proxied;
    const context = { headers, followsRedirects, signal: stop.signal };
    const response = await perform(kernel, UPSTREAM_STEP, () =>
      upstream.send(asked.outgoing, context),
    );
    if (!current(kernel, claim)) throw new Fenced();
    const verdict = verdictOf(response.status, asked.safe, asked.proxied);
    if (verdict !== "away") kernel.health.answered();
    if (verdict === "answered") {
      kernel.breakers.succeeded(upstream.name);
      return await receive(kernel, claim, asked, response);
    }
    await response.body?.cancel().catch(() => undefined);
    throw turnedAway(kernel, claim, { response, verdict, probe });
  } catch (e) {
    if (!current(kernel, claim)) throw new Fenced();
    throw failureOf(kernel, claim, { error: e, asked, probe, signal: stop.signal });
  } finally {
    inTime();
  }
}

/** U4. What was not sent as it came in is sent from what was stored. */
function fieldsOf(claim: HttpClaim, { row }: Asked): Readonly<Record<string, string>> {
  const stored = claim.row === undefined || claim.attempt > 1;
  return {
    "idempotency-key": `${claim.branch?.origin ?? claim.id}/${UPSTREAM_STEP}`,
    "berth-invocation": claim.id,
    ...(stored ? { "berth-replay": "true" } : {}),
    ...(row.traceparent === null ? {} : { traceparent: row.traceparent }),
  };
}

/** What is asked, as the journal holds it. */
/** Of what is asked, whatever it is authorised with. */
export function hashOf(kernel: Pick<Kernel, "sha256">, { outgoing }: Asked): string {
  const { method, path, headers, body } = outgoing;
  return kernel.sha256(
    JSON.stringify([method, path, headers, body === null ? "" : storedBody(body)]),
  );
}
