/**
 * The form of an API key: `berth_live_<id>_<secret><check>`.
 *
 * `id` is the 26 characters of the key's id and finds the row; `secret` is 256 random bits in base
 * 62; `check` is the CRC32 of all before it. A mistyped or made-up key is refused by arithmetic,
 * before any look-up; scanners can tell a real one from noise.
 */
import type { FillRandom } from "../ids.ts";
import { PREFIXES, isId } from "../ids.ts";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const HEAD = "berth_live_";
/** Of an id without its prefix. */
const ID_LENGTH = 26;
const SECRET_BYTES = 32;
/** 62^43 > 2^256. */
const SECRET_LENGTH = 43;
/** 62^6 > 2^32. */
const CHECK_LENGTH = 6;
const FORM = /^berth_live_([0-9a-z]{26})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})$/;

/** A new secret: 256 bits in base 62. */
export function newSecret(fill: FillRandom = (bytes) => crypto.getRandomValues(bytes)): string {
  let number = 0n;
  for (const byte of fill(new Uint8Array(SECRET_BYTES))) number = (number << 8n) | BigInt(byte);
  return base62(number, SECRET_LENGTH);
}

/** The whole key, as its holder keeps it. */
export function makeKey(key: { readonly id: string; readonly secret: string }): string {
  const body = `${startOf(key.id)}_${key.secret}`;
  return body + checkOf(body);
}

/** What may be shown of a key for ever. */
export function startOf(id: string): string {
  return HEAD + id.slice(PREFIXES.key.length + 1);
}

/** The id that a key would have; nothing is checked, so it may only be looked for among what is known. */
export function idInKey(text: string): string {
  return `${PREFIXES.key}_${text.slice(HEAD.length, HEAD.length + ID_LENGTH)}`;
}

/** The id and the secret of a well-formed key; undefined for anything else. Reads nothing. */
export function parseKey(
  text: string,
): { readonly keyId: string; readonly secret: string } | undefined {
  const [, idPart, secret, check] = FORM.exec(text) ?? [];
  if (idPart === undefined || secret === undefined || check === undefined) return undefined;
  if (checkOf(text.slice(0, -CHECK_LENGTH)) !== check) return undefined;
  const keyId = `${PREFIXES.key}_${idPart}`;
  return isId("key", keyId) ? { keyId, secret } : undefined;
}

/**
 * SHA-256 as base64url. Enough for a secret of 256 random bits: there is nothing to guess, so
 * nothing that a slow hash would slow down.
 */
export async function hashSecret(secret: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret));
  return btoa(String.fromCharCode(...new Uint8Array(digest)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** Compare two hashes in a time that depends on their length alone. */
export function sameHash(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i += 1) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

/** The check at the end of a secret of ours, over all before it. */
export function checkOf(body: string): string {
  return base62(BigInt(crc32(body)), CHECK_LENGTH);
}

function base62(value: bigint, length: number): string {
  let rest = value;
  let text = "";
  for (let i = 0; i < length; i += 1) {
    text = ALPHABET.charAt(Number(rest % 62n)) + text;
    rest /= 62n;
  }
  return text;
}

/** CRC-32 of ASCII text. @source ISO 3309, reflected polynomial 0xEDB88320. */
function crc32(text: string): number {
  let crc = 0xffffffff;
  for (let i = 0; i < text.length; i += 1) {
    crc ^= text.charCodeAt(i);
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
