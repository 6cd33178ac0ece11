/**
 * Bearer token to principal. Which issuer it claims decides what is expected of it: our own at this
 * very host, one of the configured ones, or one of the tenant's; algorithm, audience, type and keys
 * are pinned there.
 */
import type { SharedConfig } from "../config.ts";
import type { Fetch } from "../models/contract.ts";
import { Problem } from "../problem.ts";
import { checkClaims } from "./claims.ts";
import type { TenantIssuer, Verified } from "./contract.ts";
import type { Jwk } from "./jwk.ts";
import { type OpenJws, openJws, verifyJws } from "./jws.ts";
import { KeySets } from "./keyset.ts";
import { publicJwks } from "./signer.ts";
import { type JsonObject, strictObject } from "./strict-json.ts";
import { configuredTrust, ownTrust, tenantTrust, type Trust } from "./trust.ts";

type Issuers = readonly TenantIssuer[];

/** Where a token is presented. */
export type Presented = {
  readonly tenant: { readonly id: string; readonly slug: string };
  /** Of the host it was sent to. */
  readonly origin: string;
  /** SHA-256 of the token: what a verdict is kept under. */
  readonly hash: string;
  readonly nowMs: number;
  /** The tenant's own issuers, as they are known now; asked for tokens of nobody else. */
  readonly issuers: () => Issuers | Promise<Issuers>;
};

/** The signature held: kept for a moment, so that it is not computed for each request. */
type Verdict = {
  readonly verified: Verified;
  readonly claims: JsonObject;
  readonly trust: Trust;
  readonly origin: string;
  /** The token's own end, epoch ms. */
  readonly endsAtMs: number;
  /** When to forget it, epoch ms; never later than that. */
  readonly untilMs: number;
};

const VERDICTS_KEPT = 10_000;

export class TokenVerifier {
  readonly #config: SharedConfig;
  readonly #ownKeys: readonly Jwk[];
  readonly #keySets: KeySets;
  readonly #verdicts = new Map<string, Verdict>();

  constructor(config: SharedConfig, fetch: Fetch) {
    this.#config = config;
    this.#ownKeys = publicJwks(config.tokenKeys).keys;
    this.#keySets = new KeySets(fetch);
  }

  /**
   * @returns  At once when this isolate verified the very token within `credentialCacheMs`.
   * @throws Problem `invalid_token` | `token_expired` | `overloaded` (its issuer's keys cannot be had)
   */
  verify(text: string, at: Presented): Verified | Promise<Verified> {
    const verdict = this.#verdicts.get(at.hash);
    if (verdict === undefined) return this.#judge(text, at);
    if (verdict.untilMs <= at.nowMs || verdict.origin !== at.origin) {
      this.#verdicts.delete(at.hash);
      return this.#judge(text, at);
    }
    if (verdict.trust.by === undefined) return verdict.verified;
    // What a tenant trusts can change within a verdict's life: the row decides, not the verdict.
    const issuers = at.issuers();
    return issuers instanceof Promise
      ? issuers.then((now) => asNow(verdict, now, at) ?? this.#judge(text, at))
      : (asNow(verdict, issuers, at) ?? this.#judge(text, at));
  }

  async #judge(text: string, at: Presented): Promise<Verified> {
    const jws = openJws(text);
    const trust = jws && (await this.#trustOf(jws, at));
    if (!jws || !trust || !trust.types.includes(typeOf(jws))) throw invalid();
    const payload = await verifyJws(jws, trust.alg, await this.#keysOf(trust, jws, at));
    const claims = payload && strictObject(payload);
    if (!claims) throw invalid();
    const times = checkClaims(claims, trust, at.nowMs);
    if (times === "expired") throw new Problem("token_expired", "the token has expired");
    const bearer = times === "invalid" ? undefined : trust.principal(claims);
    if (bearer === undefined || times === "invalid") throw invalid();
    const { endsAtMs, beganAtMs } = times;
    const own = trust.issuer === at.origin;
    const verified = { principal: { ...bearer, endsAtMs }, own, beganAtMs };
    const untilMs = Math.min(endsAtMs, at.nowMs + this.#config.credentialCacheMs);
    this.#keep(at, { verified, claims, trust, origin: at.origin, endsAtMs, untilMs });
    return verified;
  }

  /** By the issuer a token claims; its word is good for nothing but the choice. */
  async #trustOf(jws: OpenJws, at: Presented): Promise<Trust | undefined> {
    const issuer = strictObject(jws.payload)?.["iss"];
    if (typeof issuer !== "string") return undefined;
    if (issuer === at.origin) return ownTrust(this.#ownKeys, jws.kid, at);
    const configured = this.#config.tokenIssuers.find((it) => it.issuer === issuer);
    if (configured !== undefined) return configuredTrust(configured, at);
    const theirs = (await at.issuers()).find((it) => it.issuer === issuer);
    return theirs && tenantTrust(theirs, at);
  }

  async #keysOf({ keys }: Trust, jws: OpenJws, { nowMs }: Presented): Promise<readonly Jwk[]> {
    if (!("url" in keys)) return keys;
    try {
      return await this.#keySets.keys(keys.url, jws.kid, nowMs);
    } catch {
      const detail = "the keys of the token's issuer cannot be had";
      throw new Problem("overloaded", detail, { retryAfterMs: 30_000 });
    }
  }

  #keep({ hash, nowMs }: Presented, verdict: Verdict): void {
    if (verdict.untilMs <= nowMs) return;
    if (this.#verdicts.size >= VERDICTS_KEPT) {
      const oldest = this.#verdicts.keys().next();
      if (!oldest.done) this.#verdicts.delete(oldest.value);
    }
    this.#verdicts.set(hash, verdict);
  }
}

/** The verdict under the issuer as it is now; undefined when that has changed or is gone. */
function asNow(verdict: Verdict, issuers: Issuers, at: Presented): Verified | undefined {
  const { verified, claims, trust, endsAtMs } = verdict;
  const now = issuers.find(({ id }) => id === trust.by?.id);
  if (now === undefined || now.revision !== trust.by?.revision) return undefined;
  const bearer = tenantTrust(now, at).principal(claims);
  return bearer && { ...verified, principal: { ...bearer, endsAtMs } };
}

/** Media types compare without case, with or without their prefix. @source RFC 7515 §4.1.9 */
function typeOf({ typ }: OpenJws): string {
  return typ?.toLowerCase().replace(/^application\//, "") ?? "";
}

function invalid(): Problem {
  return new Problem("invalid_token", "the credential is not valid here");
}
