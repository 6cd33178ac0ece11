import { createHmac, timingSafeEqual } from "node:crypto";
import type { MasterKey } from "../../core/seal/contract.ts";

/** Signs text for one tenant: `v1.<key id>.<HMAC-SHA-256, base64url>`. */
export type Signer = {
  sign(tenantId: string, text: string): string;
  /** `foreign`: under a key that is not, or no longer, configured here. */
  verify(tenantId: string, text: string, signature: string): "good" | "bad" | "foreign";
};

/**
 * Signatures under keys derived from the master keys, one for each tenant: the first signs, all of
 * them verify, so that what was signed outlasts a rotation while both are configured.
 */
export function createSigner(keys: readonly MasterKey[]): Signer {
  const sealed = ({ kid, key }: MasterKey, tenantId: string, text: string): string => {
    const own = createHmac("sha256", key).update(`berth approval v1\n${tenantId}`).digest();
    return `v1.${kid}.${createHmac("sha256", own).update(text).digest("base64url")}`;
  };
  return {
    sign: (tenantId, text) => {
      const [first] = keys;
      if (first === undefined) throw new Error("there is no master key to sign with");
      return sealed(first, tenantId, text);
    },
    verify: (tenantId, text, signature) => {
      const [version, kid] = signature.split(".");
      const key = keys.find((it) => version === "v1" && it.kid === kid);
      if (key === undefined) return "foreign";
      return equal(sealed(key, tenantId, text), signature) ? "good" : "bad";
    },
  };
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
