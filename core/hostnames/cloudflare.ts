/**
 * Cloudflare for SaaS: a custom hostname of the zone, with a certificate of its own.
 *
 * C1  A name is made known once: a duplicate is looked up and taken over. Whose it is was settled
 *     before (core/hostnames/store.ts); here is only one zone, ours.
 * C2  Nothing of the zone's token or of an answer's text beyond its error reaches a tenant.
 *
 * @source developers.cloudflare.com/api/resources/custom_hostnames
 */
import { z } from "zod";
import type { Fetch } from "../models/contract.ts";
import { Problem } from "../problem.ts";
import type { EdgeAnswer, EdgeState, HostnameEdge, Unavailable } from "./edge.ts";

export type CloudflareZone = {
  readonly apiUrl: string;
  readonly zoneId: string;
  readonly apiToken: string;
};

const DUPLICATE = 1406;
const RETRY_MS = 60_000;
const MESSAGE_LENGTH = 200;

const Fault = z.looseObject({ code: z.number(), message: z.string() });
const Custom = z.looseObject({
  id: z.string().min(1).max(100),
  hostname: z.string(),
  status: z.string(),
  ssl: z
    .looseObject({
      status: z.string(),
      validation_errors: z.array(z.looseObject({ message: z.string() })).optional(),
    })
    .nullish(),
  verification_errors: z.array(z.string()).nullish(),
});
const Envelope = z.looseObject({
  success: z.boolean(),
  errors: z.array(Fault).default([]),
  result: z.unknown(),
});

type Call = { readonly method: string; readonly path: string; readonly body?: unknown };
type Answer = {
  readonly ok: true;
  readonly status: number;
  readonly envelope: z.infer<typeof Envelope>;
};

/** Ends of a certificate's making that no waiting mends. */
const GIVEN_UP = /^(?:validation_timed_out|issuance_timed_out|deployment_timed_out|expired)$/;
const REFUSED = /^(?:blocked|pending_blocked|test_failed|test_blocked|moved|deleted)$/;

/** @param fetch  Bounds time and size, and refuses redirects. */
export function cloudflareEdge(fetch: Fetch, zone: CloudflareZone): HostnameEdge {
  const ask = (call: Call) => send(fetch, zone, call);
  const create = async (name: string): Promise<EdgeAnswer> => {
    const ssl = { method: "http", type: "dv", settings: { min_tls_version: "1.2" } };
    const made = await ask({ method: "POST", path: "", body: { hostname: name, ssl } });
    if (!made.ok) return made;
    if (made.envelope.success) return stateOf(made.envelope.result);
    const fault = made.envelope.errors[0];
    return fault?.code === DUPLICATE ? adopt(name) : failed(fault);
  };
  const adopt = async (name: string): Promise<EdgeAnswer> => {
    const found = await ask({ method: "GET", path: `?hostname=${encodeURIComponent(name)}` });
    if (!found.ok) return found;
    const list = z.array(Custom).safeParse(found.envelope.result);
    const mine = list.data?.find(({ hostname }) => hostname === name);
    return mine === undefined
      ? unavailable("the edge is of two minds about the name")
      : stateOf(mine);
  };
  return {
    ensure: async (name, edgeId) => {
      if (edgeId === null) return create(name);
      const found = await ask({ method: "GET", path: `/${edgeId}` });
      if (!found.ok) return found;
      return found.status === 404 ? create(name) : stateOf(found.envelope.result);
    },
    remove: async (name, edgeId) => {
      const known = edgeId ?? (await idOf(ask, name));
      if (known === undefined) return { ok: true };
      if (typeof known !== "string") return known;
      const gone = await ask({ method: "DELETE", path: `/${known}` });
      if (!gone.ok) return gone;
      const done = gone.status === 404 || gone.envelope.success;
      return done ? { ok: true } : unavailable("the edge keeps the name");
    },
  };
}

async function idOf(
  ask: (call: Call) => Promise<Answer | Unavailable>,
  name: string,
): Promise<string | undefined | Unavailable> {
  const found = await ask({ method: "GET", path: `?hostname=${encodeURIComponent(name)}` });
  if (!found.ok) return found;
  const list = z.array(Custom).safeParse(found.envelope.result);
  return list.data?.find(({ hostname }) => hostname === name)?.id;
}

/** An envelope, whatever it says; or why there is none. */
async function send(
  fetch: Fetch,
  { apiUrl, zoneId, apiToken }: CloudflareZone,
  { method, path, body }: Call,
): Promise<Answer | Unavailable> {
  const url = `${apiUrl}/zones/${zoneId}/custom_hostnames${path}`;
  const headers = { authorization: `Bearer ${apiToken}`, "content-type": "application/json" };
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  try {
    const answer = await fetch(url, { method, headers, ...sent });
    const { status } = answer;
    if (status === 429 || status >= 500) {
      await answer.body?.cancel();
      return unavailable("the edge is busy", retryAfter(answer.headers));
    }
    if (status === 401 || status === 403) {
      await answer.body?.cancel();
      return unavailable("the edge refuses the installation's token");
    }
    const envelope = Envelope.safeParse(await answer.json());
    if (!envelope.success) return unavailable("the edge answered nonsense");
    return { ok: true, status, envelope: envelope.data };
  } catch {
    return unavailable("the edge cannot be reached");
  }
}

function stateOf(result: unknown): EdgeAnswer {
  const parsed = Custom.safeParse(result);
  if (!parsed.success) return unavailable("the edge answered nonsense");
  const { id, status, ssl, verification_errors: notVerified } = parsed.data;
  const detail = ssl?.validation_errors?.[0]?.message ?? notVerified?.[0] ?? null;
  const state: EdgeState["state"] =
    REFUSED.test(status) || GIVEN_UP.test(ssl?.status ?? "")
      ? "failed"
      : status === "active" && ssl?.status === "active"
        ? "active"
        : "verifying";
  return { ok: true, edge: { edgeId: id, state, detail: detail && cut(detail) } };
}

function failed(fault: z.infer<typeof Fault> | undefined): EdgeAnswer {
  const detail = fault === undefined ? "the edge refuses the name" : cut(fault.message);
  return { ok: true, edge: { edgeId: null, state: "failed", detail } };
}

function cut(message: string): string {
  return message.replaceAll(/\p{Cc}+/gu, " ").slice(0, MESSAGE_LENGTH);
}

function unavailable(detail: string, retryAfterMs = RETRY_MS): Unavailable {
  return { ok: false, problem: new Problem("overloaded", detail, { retryAfterMs }) };
}

/** Whole seconds only: the API sends no dates. */
function retryAfter(headers: Headers): number {
  const text = headers.get("retry-after") ?? "";
  return /^[0-9]{1,5}$/.test(text) ? Number(text) * 1000 : RETRY_MS;
}
