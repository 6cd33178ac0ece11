/**
 * Tokens of the links in mails: nothing of them is stored. A token is the id of what it opens and a
 * MAC over tenant, id and edition, by a key derived from the sealing key. So a mail that is sent
 * again carries the same link, a row that leaks opens nothing, and what may be used once is said by
 * the row (a higher edition, or used).
 */
import type { MasterKey } from "../config.ts";
import { type IdNoun, PREFIXES, isId } from "../ids.ts";
import { sameHash } from "../keys/format.ts";

/** What a link opens. */
export type LinkSubject = {
  readonly tenantId: string;
  /** `cnf_…` or `ivt_…`. */
  readonly id: string;
  /** Raised to make links that were sent before worth nothing. */
  readonly edition: number;
};

const ID_LENGTH = 26;
const FORM = /^[0-9a-z]{26}[\w-]{43}$/;
const PURPOSE = new TextEncoder().encode("berth/links/1");

/** @throws RangeError  without a sealing key: a defect, the configuration demands one. */
export async function linkToken(keys: readonly MasterKey[], subject: LinkSubject): Promise<string> {
  const [first] = keys;
  if (first === undefined) throw new RangeError("no key to make links with");
  return subject.id.slice(-ID_LENGTH) + (await macOf(first, subject));
}

/** The id of what a token says it opens; undefined for what is no token. Reads nothing. */
export function linkedId(noun: IdNoun, token: string): string | undefined {
  if (!FORM.test(token)) return undefined;
  const id = `${PREFIXES[noun]}_${token.slice(0, ID_LENGTH)}`;
  return isId(noun, id) ? id : undefined;
}

/** Is it the token of `subject`, by any key that still opens? */
export async function opens(
  keys: readonly MasterKey[],
  token: string,
  subject: LinkSubject,
): Promise<boolean> {
  const mac = token.slice(ID_LENGTH);
  const macs = await Promise.all(keys.map((key) => macOf(key, subject)));
  return macs.some((it) => sameHash(it, mac));
}

async function macOf({ key }: MasterKey, { tenantId, id, edition }: LinkSubject): Promise<string> {
  const root = await crypto.subtle.importKey("raw", key, "HKDF", false, ["deriveKey"]);
  const mac = await crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: PURPOSE },
    root,
    { name: "HMAC", hash: "SHA-256", length: 256 },
    false,
    ["sign"],
  );
  const text = new TextEncoder().encode(JSON.stringify([tenantId, id, edition]));
  const bytes = new Uint8Array(await crypto.subtle.sign("HMAC", mac, text));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
