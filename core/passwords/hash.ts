/**
 * Hashes of passwords, `scrypt$N$r$p$salt$hash`: what made a hash stands with it, so the cost can
 * be raised and old hashes still open, once.
 */
import { sameHash } from "../keys/format.ts";
import type { Derive, ScryptCost } from "./contract.ts";

/** 16 MiB of memory, five times over. @source OWASP Password Storage Cheat Sheet */
const COST: ScryptCost = { n: 16_384, r: 8, p: 5 };
const SALT_BYTES = 16;
const FORM = /^scrypt\$([1-9]\d{0,7})\$([1-9]\d?)\$([1-9]\d?)\$([\w-]{22})\$([\w-]{43})$/;
/** Made of nothing: what an account without a password is compared with, at the same cost. */
const NOBODY = hashText(COST, "A".repeat(22), "A".repeat(43));

export async function hashPassword(derive: Derive, password: string): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  return hashText(COST, toText(salt), toText(await derive(password, salt, COST)));
}

/**
 * Is it the password of `stored`? For null the same work is done and the answer is no: how long a
 * refusal takes does not tell whether there is an account.
 *
 * @returns  `stale`: right, and made at another cost than new hashes are: hash it again.
 */
export async function checkPassword(
  derive: Derive,
  password: string,
  stored: string | null,
): Promise<{ readonly right: boolean; readonly stale: boolean }> {
  const kept = parse(stored ?? NOBODY) ?? parse(NOBODY);
  if (kept === undefined) throw new Error("the hash of nobody has no form");
  const hash = toText(await derive(password, kept.salt, kept.cost));
  const right = sameHash(hash, kept.hash) && stored !== null;
  const { n, r, p } = kept.cost;
  return { right, stale: right && (n !== COST.n || r !== COST.r || p !== COST.p) };
}

function parse(text: string) {
  const [, n, r, p, salt, hash] = FORM.exec(text) ?? [];
  if (salt === undefined || hash === undefined) return undefined;
  return { cost: { n: Number(n), r: Number(r), p: Number(p) }, salt: toBytes(salt), hash };
}

function hashText({ n, r, p }: ScryptCost, salt: string, hash: string): string {
  return `scrypt$${n}$${r}$${p}$${salt}$${hash}`;
}

function toText(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

function toBytes(text: string): Uint8Array {
  const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}
