import type { FillRandom } from "../ids.ts";
import { SealFailure, type Aead, type MasterKey, type Sealer, type SealPlace } from "./contract.ts";

const VERSION = "v1";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const BASE64URL = /^[A-Za-z0-9_-]+$/;
const KID = /^[A-Za-z0-9_-]{1,32}$/;

const random: FillRandom = (bytes) => crypto.getRandomValues(bytes);

/**
 * Sealing under `keys` (AES-256-GCM, random 96-bit nonces, additional data `tenant|kind|id`).
 *
 * During a rotation there are two keys: the first seals, both open.
 *
 * @throws RangeError  when a key is not 32 bytes, a key id is malformed, or there is none at all.
 */
export function createSealer(
  aead: Aead,
  keys: readonly MasterKey[],
  fill: FillRandom = random,
): Sealer {
  const [newest] = keys;
  if (newest === undefined) throw new RangeError("sealing needs a master key");
  for (const { kid, key } of keys) {
    if (!KID.test(kid)) throw new RangeError("a master key's id is malformed");
    if (key.byteLength !== KEY_BYTES) throw new RangeError(`master key ${kid} is not 32 bytes`);
  }
  return {
    seal(place, text) {
      const nonce = fill(new Uint8Array(NONCE_BYTES));
      const plaintext = new TextEncoder().encode(text);
      const sealed = aead.seal(newest.key, nonce, plaintext, additionalData(place, newest.kid));
      return [VERSION, newest.kid, base64url(nonce), base64url(sealed)].join(".");
    },
    open(place, blob) {
      const [version, kid, nonceText = "", sealedText = "", ...rest] = blob.split(".");
      const nonce = bytesOf(nonceText);
      const sealed = bytesOf(sealedText);
      const whole = version === VERSION && rest.length === 0 && nonce?.length === NONCE_BYTES;
      if (!whole || sealed === undefined || sealed.length < TAG_BYTES) {
        throw new SealFailure("malformed");
      }
      const known = keys.find((key) => key.kid === kid);
      if (known === undefined) throw new SealFailure("unknown_key");
      const plain = aead.open(known.key, nonce, sealed, additionalData(place, known.kid));
      if (plain === undefined) throw new SealFailure("not_authentic");
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(plain);
    },
  };
}

/** The key id a blob was sealed under, for counting what a rotation has left; no key needed. */
export function sealedUnder(blob: string): string | undefined {
  const [version, kid] = blob.split(".");
  return version === VERSION ? kid : undefined;
}

/** A part with the separator in it could pose as another place; ids and kinds never have one. */
function additionalData({ tenantId, kind, id }: SealPlace, kid: string): Uint8Array {
  const parts = [tenantId, kind, id];
  if (parts.some((part) => part === "" || part.includes("|"))) {
    throw new RangeError("a place to seal for has an empty part or a separator in it");
  }
  return new TextEncoder().encode([...parts, VERSION, kid].join("|"));
}

function base64url(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Strict: one text for one byte string, or a flipped last bit could go unnoticed. */
function bytesOf(text: string): Uint8Array | undefined {
  if (!BASE64URL.test(text)) return undefined;
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
    return base64url(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}
