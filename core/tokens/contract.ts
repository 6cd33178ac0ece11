import type { Principal } from "../principals/contract.ts";
import type { Jwk } from "./jwk.ts";
import type { JsonObject } from "./strict-json.ts";

/** What a token was found to be. */
export type Verified = {
  readonly principal: Principal;
  /** One of ours: it stands for a key, a client or a user that may be worth less by now. */
  readonly own: boolean;
  /** Epoch ms at which it was made. */
  readonly beganAtMs: number;
};

/** An issuer that one tenant registered, as its tokens are judged by. */
export type TenantIssuer = {
  readonly id: string;
  readonly revision: number;
  readonly issuer: string;
  readonly audience: string;
  readonly alg: string;
  readonly typ: "at+jwt" | "JWT";
  /** The claim that must name this tenant where it is present; null for none. */
  readonly tenantClaim: string | null;
  readonly tenantNames: readonly string[];
  readonly maxLifetimeSeconds: number;
  /** Where its keys are, or its shared secret. */
  readonly keys: { readonly url: string } | { readonly secret: Jwk };
  /** What the verified claims allow. */
  readonly access: (claims: JsonObject) => Pick<Principal, "scopes" | "grants">;
};
