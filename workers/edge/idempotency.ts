/**
 * `Idempotency-Key`: one request, however often it is sent.
 *
 * Invocations keep theirs in the agent's object (DECISIONS 16); `replays` serves control-plane
 * POSTs. Only what was done is kept: a refusal gives the key back.
 *
 * @source IETF httpapi draft-07
 */
import type { Context, MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import type { Config } from "../../core/config.ts";
import type { Claim, IdempotencySubject } from "../../core/idempotency/contract.ts";
import { withoutSecrets } from "../../core/idempotency/secrets.ts";
import { abandonKey, claimKey, completeKey } from "../../core/idempotency/store.ts";
import { Problem } from "../../core/problem.ts";
import { canonical } from "../../core/json/canonical.ts";
import type { Arrival } from "./arrival.ts";
import { BODY_LIMIT, keepJson } from "./body.ts";
import type { EdgeEnv, WithPrincipal } from "./context.ts";
import { keyedHash, sha256 } from "./hash.ts";

type Keyed = EdgeEnv & WithPrincipal;

const KEY = /^[\x21-\x7e]{1,255}$/;
const QUOTED = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;
const RETRY_MS = 1000;
/** What of an answer's headers is part of the answer. */
const KEPT_HEADERS = ["etag", "location"];

/**
 * The key, quoted or bare; `undefined` without one.
 *
 * @throws Problem `bad_request`  for an empty, a longer than 255, or an unprintable one.
 */
export function idempotencyKeyOf(headers: Headers): string | undefined {
  const given = headers.get("idempotency-key");
  if (given === null) return undefined;
  const quoted = QUOTED.exec(given)?.[1]?.replaceAll(/\\(["\\])/g, "$1");
  const key = quoted ?? given;
  if (KEY.test(key) && (quoted !== undefined || !key.includes('"'))) return key;
  throw new Problem("bad_request", "the idempotency key is malformed", {
    errors: [{ pointer: "Idempotency-Key", detail: "1 to 255 visible ASCII characters" }],
  });
}

/** What a key was used for: SHA-256 over method, path and canonical body, base64url. */
export function fingerprintOf(method: string, path: string, body: unknown): string {
  return sha256(`${method} ${path}\n${canonical(body)}`);
}

/**
 * Answer a known key with what was answered before; behind `may`.
 *
 * @throws Problem `idempotency_in_progress` | `idempotency_mismatch` and those of reading the body
 */
export function replays(): MiddlewareHandler<WithPrincipal> {
  const replay: MiddlewareHandler<Keyed> = async (c, next) => {
    const key = idempotencyKeyOf(c.req.raw.headers);
    if (key === undefined) return next();
    const owner = ownerOf(c.get("arrival"));
    const claimed = await claimKey(owner, await subjectOf(c, key), c.get("nowMs"));
    switch (claimed.state) {
      case "done":
        return replayed(claimed.status, claimed.body);
      case "running":
        throw new Problem("idempotency_in_progress", "ask again in a moment", {
          retryAfterMs: RETRY_MS,
        });
      case "mismatch":
        throw new Problem("idempotency_mismatch", "use a new key for a new request");
      case "new":
        await next();
        await settle(owner, claimed.claim, c.res);
    }
  };
  // As in `may`: what it needs beyond the principal is there for every route.
  return replay as unknown as MiddlewareHandler<WithPrincipal>;
}

function ownerOf(arrival: Arrival) {
  return arrival.at === "platform" ? arrival.services.platform : arrival.residence.scope;
}

async function subjectOf(c: Context<Keyed>, key: string): Promise<IdempotencySubject> {
  const { method, path } = c.req;
  const body = await keepJson(c.req.raw, BODY_LIMIT);
  return {
    principal: c.get("principal").id,
    route: `${method} ${routePath(c)}`,
    key,
    fingerprint: kept(c.get("config"), fingerprintOf(method, path, body)),
  };
}

/**
 * A body may hold a secret that can be guessed, and its fingerprint is stored: under the master key
 * it cannot be tried out. The last one is the one that stays while a rotation lasts.
 */
function kept({ masterKeys }: Config, fingerprint: string): string {
  const last = masterKeys.at(-1);
  return last === undefined ? fingerprint : keyedHash(last.key, `idempotency ${fingerprint}`);
}

/** The answer is stored before it is given, or the key is free again. */
async function settle(
  owner: ReturnType<typeof ownerOf>,
  claim: Claim,
  response: Response,
): Promise<void> {
  if (!response.ok) return abandonKey(owner, claim);
  const headers = Object.fromEntries(
    KEPT_HEADERS.flatMap((name) => {
      const value = response.headers.get(name);
      return value === null ? [] : [[name, value]];
    }),
  );
  const json = response.headers.get("content-type")?.includes("json") === true;
  // Before it is wrapped: secrets are looked for where answers have them, not deeper.
  const document: unknown = json ? withoutSecrets(await response.clone().json()) : null;
  await completeKey(owner, claim, { status: response.status, body: { headers, document } });
}

function replayed(status: number, kept: unknown): Response {
  // Written by `settle` and by nothing else.
  const { headers, document } = kept as { headers: Record<string, string>; document: unknown };
  const body = document === null ? null : JSON.stringify(document);
  const response = new Response(body, { status, headers });
  if (body !== null) response.headers.set("content-type", "application/json");
  response.headers.set("idempotency-replayed", "true");
  return response;
}
