import { bytesOf } from "../../../core/upstreams/body.ts";
import type { Outgoing, ProxyRequest } from "../../../core/upstreams/contract.ts";
import type { Turn } from "../../../core/upstreams/turn.ts";
import { repeatable } from "../../../core/upstreams/verdict.ts";
import { unpack } from "../content.ts";
import { findInvocation, type InvocationRow, metadataOf } from "../invocations.ts";
import type { HttpClaim, Kernel } from "../kernel.ts";
import type { Sql } from "../sql.ts";

/** A run has one. */
export const UPSTREAM_STEP = "upstream.0#0";

/** What a run asks of its upstream, built from the row alone: a later attempt asks the very same. */
export type Asked = {
  readonly row: InvocationRow;
  readonly outgoing: Outgoing;
  /** The caller speaks HTTP itself, and is answered with what the upstream says. */
  readonly proxied: boolean;
  /** It may be sent again when its answer was lost. */
  readonly safe: boolean;
};

export function askedBy(
  kernel: Pick<Kernel, "sql">,
  claim: Pick<HttpClaim, "id" | "row" | "installed">,
): Asked {
  const row = claim.row ?? findInvocation(kernel.sql, claim.id);
  if (row === undefined) throw new Error("a claim has no row");
  const { upstream } = claim.installed.spec;
  const input: unknown = JSON.parse(unpack(kernel.sql, row.input));
  const request = proxiedIn(input);
  const outgoing =
    request === undefined ? turnOf(kernel.sql, row, input, upstream.invoke_path) : sent(request);
  const safe = repeatable(outgoing.method, upstream.idempotent);
  return { row, outgoing, proxied: request !== undefined, safe };
}

/** The request that an invocation's input is, when it came by the proxy. */
export function proxiedIn(input: unknown): ProxyRequest | undefined {
  if (typeof input !== "object" || input === null || !("request" in input)) return undefined;
  return input.request as ProxyRequest; // written by the proxy's route and by nothing else
}

function sent({ method, path, headers, body }: ProxyRequest): Outgoing {
  return { method, path, headers, body: bytesOf(body) };
}

function turnOf(sql: Sql, row: InvocationRow, input: unknown, path: string): Outgoing {
  const turn: Turn = {
    invocation_id: row.id,
    session_id: row.session_id,
    input,
    metadata: metadataOf(sql, row),
  };
  const headers = {
    accept: "application/json, text/*;q=0.9",
    "content-type": "application/json",
  };
  const body = new TextEncoder().encode(JSON.stringify(turn));
  return { method: "POST", path, headers, body };
}
