import type { Output } from "../../../core/invocations/contract.ts";
import { EgressFailure } from "../../../core/egress/contract.ts";
import { binaryOf, fromBinary, joined, storedBody } from "../../../core/upstreams/body.ts";
import { UpstreamFailure } from "../../../core/upstreams/contract.ts";
import { returnedHeaders } from "../../../core/upstreams/headers.ts";
import { pathBelow } from "../../../core/upstreams/target.ts";
import { outputOf } from "../../../core/upstreams/turn.ts";
import { Deltas } from "../deltas.ts";
import type { Fact } from "../events.ts";
import { Fenced, RunFailure } from "../failure.ts";
import type { InvocationRow } from "../invocations.ts";
import { current, type HttpClaim, type Kernel } from "../kernel.ts";
import { succeed } from "../settle.ts";
import { finishStep, NO_COST } from "../steps.ts";
import { UPSTREAM_STEP, type Asked } from "./asked.ts";
import { failedStep, nobody } from "./failures.ts";

type Head = { readonly status: number; readonly headers: Readonly<Record<string, string>> };

/**
 * An answer to its end, and the run with it. A proxied one is handed to who waits for it piece by
 * piece; it is whole for them when it is stored.
 *
 * @throws RunFailure | UpstreamFailure | Fenced
 */
export async function receive(
  kernel: Kernel,
  claim: HttpClaim,
  asked: Asked,
  response: Response,
): Promise<InvocationRow | undefined> {
  const head = headOf(claim, response);
  const live = asked.proxied ? kernel.answers.begin(claim.id, head) : undefined;
  if (live !== undefined) kernel.feed.changed(claim.id);
  const deltas = asked.proxied || !claim.deltas ? undefined : spokenBy(kernel, claim, head);
  try {
    const body = await read(kernel, claim, response, (piece) => {
      live?.push(piece);
      deltas?.push(piece);
    });
    const ended = settle(kernel, claim, asked, { head, body, rest: deltas?.rest() ?? [] });
    live?.end("whole");
    return ended;
  } finally {
    live?.end("broken");
    deltas?.stop();
  }
}

/** Its redirects below the upstream lead to the same place by way of the agent's address. */
function headOf({ installed }: HttpClaim, response: Response): Head {
  const { spec, upstream, release } = installed;
  const redactor = upstream.redactor();
  const fields = Object.entries(returnedHeaders(response.headers)).map(([name, value]) => {
    const shown = name === "location" ? locationOf(spec.upstream.url, value, release) : value;
    return [name, redactor?.text(shown) ?? shown] as const;
  });
  return { status: response.status, headers: Object.fromEntries(fields) };
}

function locationOf(base: string, location: string, release: { readonly agentSlug: string }) {
  if (!URL.canParse(location, base)) return location;
  const below = pathBelow(base, new URL(location, base));
  return below === undefined ? location : `/a/${release.agentSlug}/proxy${below}`;
}

/** Every byte, with what opens the upstream taken out of it. */
async function read(
  kernel: Kernel,
  claim: HttpClaim,
  response: Response,
  taken: (piece: Uint8Array) => void,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const take = (piece: Uint8Array): void => {
    if (piece.length === 0) return;
    pieces.push(piece);
    taken(piece);
  };
  const clean = claim.installed.upstream.redactor()?.pieces();
  const reader = response.body?.getReader();
  try {
    for (let next = await reader?.read(); next?.done === false; next = await reader?.read()) {
      if (!current(kernel, claim)) throw new Fenced();
      take(clean === undefined ? next.value : fromBinary(clean.push(binaryOf(next.value))));
    }
  } catch (e) {
    await reader?.cancel().catch(() => undefined);
    throw brokenOff(e);
  }
  if (!current(kernel, claim)) throw new Fenced();
  if (clean !== undefined) take(fromBinary(clean.end()));
  return joined(pieces);
}

function brokenOff(e: unknown): Error {
  if (e instanceof Fenced) return e;
  if (e instanceof EgressFailure) return new UpstreamFailure("too_large", e.message);
  return new UpstreamFailure("unreachable", "the upstream broke off its answer");
}

/** Text as it comes goes to who listens, as a model's words do. */
function spokenBy(kernel: Kernel, claim: HttpClaim, { status, headers }: Head) {
  const type = headers["content-type"] ?? "";
  if (status >= 300 || !/^text\/(?:plain|markdown|event-stream)\b/i.test(type)) return undefined;
  const deltas = new Deltas(kernel, claim);
  const decoder = new TextDecoder();
  return {
    push: (piece: Uint8Array) => {
      const text = decoder.decode(piece, { stream: true });
      if (text !== "") deltas.push(text);
    },
    rest: () => deltas.rest(),
    stop: () => deltas.stop(),
  };
}

/** Nobody heard the answer and somebody knows it: it is taken as if it had been heard. */
export function happened(
  kernel: Kernel,
  claim: HttpClaim,
  asked: Asked,
  result: string,
): InvocationRow | undefined {
  const head = { status: 200, headers: { "content-type": "text/plain; charset=utf-8" } };
  return settle(kernel, claim, asked, { head, body: new TextEncoder().encode(result), rest: [] });
}

type Received = { readonly head: Head; readonly body: Uint8Array; readonly rest: readonly Fact[] };

/** The step and the run end in one transaction (U1). */
function settle(
  kernel: Kernel,
  claim: HttpClaim,
  asked: Asked,
  { head, body, rest }: Received,
): InvocationRow | undefined {
  if (!asked.proxied && head.status >= 400) {
    const problem = nobody(`answered ${head.status}`);
    const { facts, record } = failedStep(kernel, claim, problem);
    throw new RunFailure(problem, false, [...rest, ...facts], record);
  }
  const output = answerOf(asked, head, body);
  const response = {
    ...head,
    size_bytes: body.length,
    output_sha256: kernel.sha256(JSON.stringify(output)),
  };
  const record = (): void => {
    const nowMs = kernel.now();
    finishStep(kernel.sql, claim.id, UPSTREAM_STEP, "done", { response }, NO_COST, nowMs);
  };
  const facts: Fact[] = [
    ...rest,
    ["step.finished", { key: UPSTREAM_STEP, state: "done", status: head.status }],
  ];
  kernel.faults.at("before-settle");
  const ended = succeed(kernel, claim, { record, facts }, { output, messages: [] });
  kernel.faults.at("after-settle");
  return ended;
}

function answerOf({ proxied }: Asked, head: Head, body: Uint8Array): Output {
  if (proxied) return { text: "", messages: [], response: { ...head, body: storedBody(body) } };
  return outputOf(new TextDecoder().decode(body), head.headers["content-type"] ?? "");
}
