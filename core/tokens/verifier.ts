/**
 * Bearer token to Principal. Which issuer it claims decides what is expected of it: our own at this
 * very host, or one of the configured ones; algorithm, audience, type and keys are pinned there.
 */
import type { SharedConfig, TokenIssuer } from "../config.ts";
import type { Fetch } from "../models/contract.ts";
import type { Principal } from "../principals/contract.ts";
import { Problem } from "../problem.ts";
import { checkClaims, type Expectation, foreignPrincipal, ownPrincipal } from "./claims.ts";
import type { Jwk } from "./jwk.ts";
import { type OpenJws, openJws, verifyJws } from "./jws.ts";
import { KeySets } from "./keyset.ts";
import { publicJwks, TOKEN_TYPE } from "./signer.ts";
import { strictObject } from "./strict-json.ts";

/** Where a token is presented. */
export type Presented = {
  readonly tenant: { readonly id: string; readonly slug: string };
  /** Of the host it was sent to. */
  readonly origin: string;
  /** SHA-256 of the token: what a verdict is kept under. */
  readonly hash: string;
  readonly nowMs: number;
};

type Verdict = {
  readonly principal: Principal;
  readonly origin: string;
  /** Epoch ms; never later than the token's own end. */
  readonly untilMs: number;
};

/** What is pinned for one issuer. */
type Trust = Expectation & {
  readonly alg: string;
  readonly typ: string;
  readonly keys: (kid: string | undefined) => Promise<readonly Jwk[]> | readonly Jwk[];
  readonly principal: (claims: Readonly<Record<string, unknown>>) => Principal | undefined;
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
  verify(text: string, at: Presented): Principal | Promise<Principal> {
    const verdict = this.#verdicts.get(at.hash);
    if (verdict === undefined) return this.#judge(text, at);
    if (verdict.untilMs > at.nowMs && verdict.origin === at.origin) return verdict.principal;
    this.#verdicts.delete(at.hash);
    return this.#judge(text, at);
  }

  async #judge(text: string, at: Presented): Promise<Principal> {
    const jws = openJws(text);
    const trust = jws && this.#trustOf(jws, at);
    if (!jws || !trust || !sameType(jws.typ, trust.typ)) throw invalid();
    const payload = await verifyJws(jws, trust.alg, await trust.keys(jws.kid));
    const claims = payload && strictObject(payload);
    if (!claims) throw invalid();
    const ends = checkClaims(claims, trust, at.nowMs);
    if (ends === "expired") throw new Problem("token_expired", "the token has expired");
    const bearer = ends === "invalid" ? undefined : trust.principal(claims);
    if (bearer === undefined || ends === "invalid") throw invalid();
    const principal = { ...bearer, endsAtMs: ends };
    this.#keep(at, principal, ends);
    return principal;
  }

  /** By the issuer a token claims; its word is good for nothing but the choice. */
  #trustOf(jws: OpenJws, at: Presented): Trust | undefined {
    const issuer = strictObject(jws.payload)?.["iss"];
    if (issuer === at.origin) return this.#ownTrust(jws.kid, at);
    const foreign = this.#config.tokenIssuers.find((it) => it.issuer === issuer);
    return foreign && this.#foreignTrust(foreign, at);
  }

  /** Every key of ours has one algorithm of its own; a token of ours names its key. */
  #ownTrust(kid: string | undefined, { origin, tenant }: Presented): Trust | undefined {
    const key = this.#ownKeys.find((it) => it["kid"] === kid);
    const alg = key?.["alg"];
    if (key === undefined || typeof alg !== "string") return undefined;
    return {
      issuer: origin,
      audience: origin,
      tenantClaim: "tenant_id",
      tenantNames: [tenant.id],
      alg,
      typ: TOKEN_TYPE,
      keys: () => [key],
      principal: (claims) => ownPrincipal(claims, tenant.id),
    };
  }

  #foreignTrust(issuer: TokenIssuer, { tenant, nowMs }: Presented): Trust {
    const { jwk, jwks_uri: url } = issuer;
    return {
      issuer: issuer.issuer,
      audience: issuer.audience,
      tenantClaim: issuer.tenant_claim,
      tenantNames: [tenant.id, tenant.slug],
      alg: issuer.alg,
      typ: issuer.typ,
      keys: (kid) => {
        if (jwk !== undefined) return [jwk];
        return url === undefined ? [] : this.#published(url, kid, nowMs);
      },
      principal: (claims) => foreignPrincipal(claims, issuer.issuer, tenant.id),
    };
  }

  async #published(url: string, kid: string | undefined, nowMs: number): Promise<readonly Jwk[]> {
    try {
      return await this.#keySets.keys(url, kid, nowMs);
    } catch {
      const detail = "the keys of the token's issuer cannot be had";
      throw new Problem("overloaded", detail, { retryAfterMs: 30_000 });
    }
  }

  #keep({ hash, origin, nowMs }: Presented, principal: Principal, endsMs: number): void {
    const untilMs = Math.min(endsMs, nowMs + this.#config.credentialCacheMs);
    if (untilMs <= nowMs) return;
    if (this.#verdicts.size >= VERDICTS_KEPT) {
      const oldest = this.#verdicts.keys().next();
      if (!oldest.done) this.#verdicts.delete(oldest.value);
    }
    this.#verdicts.set(hash, { principal, origin, untilMs });
  }
}

/** Media types compare without case, with or without their prefix. @source RFC 7515 §4.1.9 */
function sameType(typ: string | undefined, expected: string): boolean {
  return typ?.toLowerCase().replace(/^application\//, "") === expected.toLowerCase();
}

function invalid(): Problem {
  return new Problem("invalid_token", "the credential is not valid here");
}
