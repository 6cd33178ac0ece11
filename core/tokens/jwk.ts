/**
 * Which keys may verify what. A key is judged before it is imported: its family, its purpose and
 * its strength must fit the one algorithm it is wanted for.
 *
 * @source RFC 7517 §4, RFC 7518 §3; the weak keys are those of Wycheproof's key vectors.
 */
import { importJWK, type CryptoKey } from "jose";
import { canonicalBytes } from "./base64url.ts";
import { rocaPrint } from "./roca.ts";

export type Jwk = { readonly kty: string; readonly [member: string]: unknown };

type Family =
  | { readonly kty: "OKP" | "EC"; readonly crv: string }
  | { readonly kty: "RSA" }
  | { readonly kty: "oct"; readonly minBytes: number };

const RSA: Family = { kty: "RSA" };

const FAMILIES: Readonly<Record<string, Family>> = {
  EdDSA: { kty: "OKP", crv: "Ed25519" },
  ES256: { kty: "EC", crv: "P-256" },
  ES384: { kty: "EC", crv: "P-384" },
  ES512: { kty: "EC", crv: "P-521" },
  RS256: RSA,
  RS384: RSA,
  RS512: RSA,
  PS256: RSA,
  PS384: RSA,
  PS512: RSA,
  HS256: { kty: "oct", minBytes: 32 },
  HS384: { kty: "oct", minBytes: 48 },
  HS512: { kty: "oct", minBytes: 64 },
};

const RSA_MIN_BITS = 2048;
const RSA_MAX_BITS = 8192;

/** Ready to verify `alg` with; `undefined` when the key must not. */
export async function verifyKey(jwk: Jwk, alg: string): Promise<CryptoKey | undefined> {
  const family = Object.hasOwn(FAMILIES, alg) ? FAMILIES[alg] : undefined;
  if (family === undefined || !meantFor(jwk, alg) || !strong(jwk, family)) return undefined;
  try {
    const { kty, crv, x, y, n, e, k } = jwk as Record<string, string | undefined>;
    // Members one by one: no private half is ever imported, nothing unknown has a say.
    const members = Object.entries({ kty, crv, x, y, n, e, k });
    const key = await importJWK(
      Object.fromEntries(members.filter(([, value]) => value !== undefined)),
      alg,
    );
    return key instanceof Uint8Array ? await hmacKey(key, alg) : key;
  } catch {
    return undefined; // a point off the curve, a length that does not fit
  }
}

/** No shared secret stands beside a public key, where the one could be passed off as the other. */
export function soundSet(keys: readonly Jwk[]): boolean {
  const secrets = keys.filter((key) => key.kty === "oct").length;
  return secrets === 0 || secrets === keys.length;
}

function hmacKey(secret: Uint8Array, alg: string): Promise<CryptoKey> {
  const algorithm = { name: "HMAC", hash: `SHA-${alg.slice(2)}` };
  return crypto.subtle.importKey("raw", secret, algorithm, false, ["verify"]);
}

/** `use`, `key_ops` and `alg` are promises of the key's owner; each that is made is kept. */
function meantFor(jwk: Jwk, alg: string): boolean {
  const { use, key_ops: operations, alg: own } = jwk;
  if (use !== undefined && use !== "sig") return false;
  if (own !== undefined && own !== alg) return false;
  return operations === undefined || (Array.isArray(operations) && operations.includes("verify"));
}

function strong(jwk: Jwk, family: Family): boolean {
  if (jwk.kty !== family.kty) return false;
  if (family.kty === "oct") return (bytesOf(jwk["k"])?.length ?? 0) >= family.minBytes;
  if (family.kty === "RSA") return strongRsa(bytesOf(jwk["n"]), jwk["e"]);
  return jwk["crv"] === family.crv;
}

/** 2048 to 8192 bits, exponent 65537, and not of the generator whose keys can be factored. */
function strongRsa(modulus: Uint8Array | undefined, exponent: unknown): boolean {
  if (modulus === undefined || exponent !== "AQAB") return false;
  const [first = 0] = modulus;
  const bits = modulus.length * 8 - (Math.clz32(first) - 24);
  return first !== 0 && bits >= RSA_MIN_BITS && bits <= RSA_MAX_BITS && !rocaPrint(modulus);
}

function bytesOf(member: unknown): Uint8Array | undefined {
  return typeof member === "string" ? canonicalBytes(member) : undefined;
}
