/**
 * Secrets on their way between platforms, wrapped under a passphrase.
 *
 * W1  Wrapping is deterministic, so that two exports of the same tenant are the same bytes: the
 *     nonce is no chance but a MAC, under a key of its own, of the place and the value (a synthetic
 *     nonce, as in SIV). Two different values, or places, never share a nonce but by a collision of
 *     a 96-bit MAC; what equal bytes tell is that a secret has not changed since the last export.
 * W2  The keys come from the passphrase and the tenant's id by a memory-hard function (the shell's),
 *     so a table made for one tenant is none for another.
 * W3  The place is authenticated: a wrapped value moved to another row does not open.
 *
 * @source RFC 5297 §1.3.4 (what a synthetic nonce gives away), RFC 7914 (scrypt)
 */
import { Problem } from "../problem.ts";
import type { SealPlace } from "../seal/contract.ts";

/** 64 bytes from a passphrase and a salt, slowly. */
export type Stretch = (passphrase: string, salt: string) => Promise<Uint8Array<ArrayBuffer>>;

export type Wrapper = {
  /** What the header says, so that a wrong passphrase is known at once. */
  readonly check: string;
  wrap(place: SealPlace, text: string): Promise<string>;
  /** @throws Problem `invalid`  for what was not wrapped for this place by this passphrase. */
  unwrap(place: SealPlace, wrapped: string): Promise<string>;
};

const VERSION = "x1";
const NONCE_BYTES = 12;
const CHECKED = "berth|transfer|check";

export async function createWrapper(
  stretch: Stretch,
  passphrase: string,
  tenantId: string,
): Promise<Wrapper> {
  const bytes = await stretch(passphrase, `berth|transfer|${tenantId}`);
  const [key, macKey] = await Promise.all([
    crypto.subtle.importKey("raw", bytes.slice(0, 32), "AES-GCM", false, ["encrypt", "decrypt"]),
    crypto.subtle.importKey("raw", bytes.slice(32, 64), { name: "HMAC", hash: "SHA-256" }, false, [
      "sign",
    ]),
  ]);
  const mac = async (text: string) =>
    new Uint8Array(await crypto.subtle.sign("HMAC", macKey, utf8(text)));
  return {
    check: base64url(await mac(CHECKED)),
    async wrap(place, text) {
      const at = named(place);
      const iv = (await mac(`${at}\n${text}`)).slice(0, NONCE_BYTES); // W1
      const cipher = { name: "AES-GCM", iv, additionalData: utf8(at) };
      const sealed = await crypto.subtle.encrypt(cipher, key, utf8(text));
      return [VERSION, base64url(iv), base64url(new Uint8Array(sealed))].join(".");
    },
    async unwrap(place, wrapped) {
      const [version, iv = "", sealed = "", ...rest] = wrapped.split(".");
      if (version !== VERSION || rest.length > 0) throw broken();
      try {
        const cipher = { name: "AES-GCM", iv: bytesOf(iv), additionalData: utf8(named(place)) };
        const plain = await crypto.subtle.decrypt(cipher, key, bytesOf(sealed));
        return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(plain);
      } catch {
        throw broken();
      }
    },
  };
}

/** W3. Ids and kinds hold no separator. */
function named({ tenantId, kind, id }: SealPlace): string {
  return [tenantId, kind, id, VERSION].join("|");
}

function broken(): Problem {
  return new Problem("invalid", "a wrapped secret does not open");
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}

function base64url(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}
