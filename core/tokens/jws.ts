/**
 * A compact JWS, taken apart without belief and put to the test.
 *
 * J1  One text per token: canonical base64url, three segments, at most 8 kB.
 * J2  The header chooses nothing: the algorithm is pinned by the caller, the key comes from the
 *     caller's own set, and a header that brings or points to a key is refused.
 * J3  What is returned was signed; nothing of the payload is looked at before.
 *
 * @source RFC 7515, RFC 8725 (best current practices)
 */
import { compactVerify } from "jose";
import { canonicalBytes } from "./base64url.ts";
import { type Jwk, soundSet, verifyKey } from "./jwk.ts";
import { strictObject } from "./strict-json.ts";

export const TOKEN_MAX_LENGTH = 8192;

/** Parameters that would let the token say what it is verified with, or change the rules. */
const REFUSED_HEADERS = [
  "jku",
  "jwk",
  "x5u",
  "x5c",
  "x5t",
  "x5t#S256",
  "crit",
  "b64",
  "zip",
  "enc",
];
const KID = /^[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?$/;

export type OpenJws = {
  readonly text: string;
  readonly alg: string;
  readonly kid: string | undefined;
  readonly typ: string | undefined;
  readonly payload: Uint8Array<ArrayBuffer>;
};

/** The parts of a token, nothing of them verified; `undefined` when it breaks J1 or J2. */
export function openJws(text: string): OpenJws | undefined {
  if (text.length > TOKEN_MAX_LENGTH) return undefined;
  const segments = text.split(".");
  const [header, payload, signature] = segments.map(canonicalBytes);
  if (segments.length !== 3 || !header || !payload || !signature) return undefined;
  const parameters = strictObject(header);
  if (parameters === undefined || signature.length === 0) return undefined;
  if (REFUSED_HEADERS.some((name) => Object.hasOwn(parameters, name))) return undefined;
  const { alg, kid, typ } = parameters;
  if (typeof alg !== "string") return undefined;
  if (kid !== undefined && (typeof kid !== "string" || !KID.test(kid))) return undefined;
  if (typ !== undefined && typeof typ !== "string") return undefined;
  return { text, alg, kid, typ, payload };
}

/**
 * The payload, if `keys` holds the one key that `jws` was signed with under `alg`.
 *
 * A token that names a key is checked with that key alone; one that names none, only where there is
 * no choice.
 */
export async function verifyJws(
  jws: OpenJws,
  alg: string,
  keys: readonly Jwk[],
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (jws.alg !== alg || !soundSet(keys)) return undefined;
  const named = keys.filter((key) => jws.kid === undefined || key["kid"] === jws.kid);
  const [jwk] = named;
  if (jwk === undefined || named.length !== 1) return undefined;
  const key = await verifyKey(jwk, alg);
  if (key === undefined) return undefined;
  try {
    await compactVerify(jws.text, key, { algorithms: [alg] });
    return jws.payload;
  } catch {
    return undefined;
  }
}
