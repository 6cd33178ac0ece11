import type { FillRandom } from "../ids.ts";
import {
  SealFailure,
  type Aead,
  type MasterKey,
  type Sealer,
  type SealPlace,
  type WrappedKey,
} from "./contract.ts";

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const BASE64URL = /^[A-Za-z0-9_-]+$/;
const KID = /^[A-Za-z0-9_-]{1,32}$/;

/** `v1`: directly under a master key. `v2`: under a data key of the tenant's. */
type Version = "v1" | "v2";

const random: FillRandom = (bytes) => crypto.getRandomValues(bytes);

/**
 * Sealing directly under `keys` (AES-256-GCM, random 96-bit nonces, additional data
 * `tenant|kind|id|v1|key id`): what wraps data keys, and what opens blobs older than those.
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
    seal: (place, text) => sealUnder(aead, "v1", newest, place, text, fill),
    open(place, blob) {
      const parsed = parse(blob);
      if (parsed.version !== "v1") throw new SealFailure("malformed");
      return openUnder(
        aead,
        keys.find((key) => key.kid === parsed.kid),
        place,
        parsed,
      );
    },
  };
}

/**
 * Sealing under the data keys of one tenant: the first seals, all of them open, and `v1` blobs
 * still open under `master`. A data key is unwrapped at its first use and kept.
 *
 * @param master  What the data keys are wrapped by (`createSealer`).
 */
export function createTenantSealer(
  aead: Aead,
  master: Sealer,
  tenantId: string,
  wrapped: readonly WrappedKey[],
  fill: FillRandom = random,
): Sealer {
  const open = new Map<string, MasterKey>();
  const unwrapped = (key: WrappedKey | undefined): MasterKey | undefined => {
    if (key === undefined) return undefined;
    const known = open.get(key.id) ?? unwrap(master, tenantId, key);
    open.set(key.id, known);
    return known;
  };
  return {
    seal(place, text) {
      const newest = unwrapped(wrapped[0]);
      if (newest === undefined) throw new SealFailure("unknown_key");
      return sealUnder(aead, "v2", newest, place, text, fill);
    },
    open(place, blob) {
      if (blob.startsWith("v1.")) return master.open(place, blob);
      const parsed = parse(blob);
      const known = unwrapped(wrapped.find(({ id }) => id === parsed.kid));
      return openUnder(aead, known, place, parsed);
    },
  };
}

/** A new data key, wrapped. `fingerprint` names it for good and opens nothing. */
export async function forgeDataKey(
  master: Sealer,
  tenantId: string,
  id: string,
  fill: FillRandom = random,
): Promise<WrappedKey & { readonly kid: string; readonly fingerprint: string }> {
  const key = fill(new Uint8Array(KEY_BYTES));
  const wrapped = master.seal(wrapPlace(tenantId, id), base64url(key));
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(key));
  const fingerprint = base64url(new Uint8Array(digest));
  return { id, wrapped, kid: sealedUnder(wrapped) ?? "", fingerprint };
}

/** The same data key under the newest master key. @throws SealFailure */
export function rewrap(
  master: Sealer,
  tenantId: string,
  { id, wrapped }: WrappedKey,
): WrappedKey & { readonly kid: string } {
  const place = wrapPlace(tenantId, id);
  const again = master.seal(place, master.open(place, wrapped));
  return { id, wrapped: again, kid: sealedUnder(again) ?? "" };
}

/** The id of the key a blob was sealed under, a master's or a data key's; no key needed. */
export function sealedUnder(blob: string): string | undefined {
  const [version, kid] = blob.split(".");
  return version === "v1" || version === "v2" ? kid : undefined;
}

type Parsed = {
  readonly version: Version;
  readonly kid: string;
  readonly nonce: Uint8Array;
  readonly sealed: Uint8Array;
};

function unwrap(master: Sealer, tenantId: string, { id, wrapped }: WrappedKey): MasterKey {
  const key = bytesOf(master.open(wrapPlace(tenantId, id), wrapped));
  if (key?.length !== KEY_BYTES) throw new SealFailure("malformed");
  return { kid: id, key };
}

function wrapPlace(tenantId: string, id: string): SealPlace {
  return { tenantId, kind: "data_key", id };
}

function sealUnder(
  aead: Aead,
  version: Version,
  { kid, key }: MasterKey,
  place: SealPlace,
  text: string,
  fill: FillRandom,
): string {
  const nonce = fill(new Uint8Array(NONCE_BYTES));
  const plaintext = new TextEncoder().encode(text);
  const sealed = aead.seal(key, nonce, plaintext, additionalData(place, version, kid));
  return [version, kid, base64url(nonce), base64url(sealed)].join(".");
}

function openUnder(
  aead: Aead,
  known: MasterKey | undefined,
  place: SealPlace,
  { version, nonce, sealed }: Parsed,
): string {
  if (known === undefined) throw new SealFailure("unknown_key");
  const plain = aead.open(known.key, nonce, sealed, additionalData(place, version, known.kid));
  if (plain === undefined) throw new SealFailure("not_authentic");
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(plain);
}

/** @throws SealFailure `malformed` */
function parse(blob: string): Parsed {
  const [version, kid = "", nonceText = "", sealedText = "", ...rest] = blob.split(".");
  const nonce = bytesOf(nonceText);
  const sealed = bytesOf(sealedText);
  const known = version === "v1" || version === "v2";
  if (!known || rest.length > 0 || nonce?.length !== NONCE_BYTES) {
    throw new SealFailure("malformed");
  }
  if (sealed === undefined || sealed.length < TAG_BYTES) throw new SealFailure("malformed");
  return { version, kid, nonce, sealed };
}

/** A part with the separator in it could pose as another place; ids and kinds never have one. */
function additionalData(
  { tenantId, kind, id }: SealPlace,
  version: Version,
  kid: string,
): Uint8Array {
  const parts = [tenantId, kind, id];
  if (parts.some((part) => part === "" || part.includes("|"))) {
    throw new RangeError("a place to seal for has an empty part or a separator in it");
  }
  return new TextEncoder().encode([...parts, version, kid].join("|"));
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
