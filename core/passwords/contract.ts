/** Passwords: what may be one, and what hashes them. The slow function is the shell's. */
import { z } from "zod";

/** UTF-16 units read before anything is counted; a character takes at most a few. */
const READ_MOST = 8192;

/**
 * A password as somebody types it at a sign-in: in the one form that spellings of the same
 * characters share, so that two keyboards make the same password.
 *
 * @source RFC 8265 §4.2.2 (OpaqueString: NFC, nothing else is changed)
 */
export const TypedPassword = z.string().max(READ_MOST).normalize("NFC");

/** A password to be kept: 8 to 1024 characters of any script. What else it must not be: policy.ts. */
export const NewPassword = TypedPassword.regex(
  /^.{8,1024}$/su, // counted in characters, not in the halves of some of them
  "expected 8 to 1024 characters",
);

/** What a hash costs; stands beside each hash, so that hashes of several costs live together. */
export type ScryptCost = { readonly n: number; readonly r: number; readonly p: number };

/** scrypt with 32 bytes of output. Bounded by the shell. @source RFC 7914 */
export type Derive = (password: string, salt: Uint8Array, cost: ScryptCost) => Promise<Uint8Array>;
