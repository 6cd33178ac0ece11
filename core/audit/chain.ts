/**
 * The chain: each entry carries the hash of the one before, so nothing in it can be changed,
 * dropped or moved without every later hash being another.
 *
 * C1  `hash` is SHA-256, base64url, over the canonical JSON (RFC 8785) of the entry as it is
 *     exported, `seq` and `previous_hash` included and `hash` itself left out. That form is frozen:
 *     a field that comes later is absent, not null, where it was not written.
 * C2  `seq` counts from 1 without a gap; `previous_hash` is the hash of `seq - 1`, null for the
 *     first.
 * C3  The order is the order of chaining. An entry that arrives late, from a slow batch or a clock
 *     that is behind, takes the next number like any other; its own time says when it was made.
 */
import { canonical } from "../json/canonical.ts";
import type { AuditEntry, Mark } from "./contract.ts";

/** The hash of an entry that knows its place (C1). */
export async function hashOf(entry: AuditEntry): Promise<string> {
  const { hash: _hash, ...hashed } = entry;
  return sha256(canonical(hashed));
}

/** The entry as it follows `previous`; the first one follows null. */
export async function linked(entry: AuditEntry, previous: Mark | null): Promise<Linked> {
  const placed = {
    ...entry,
    seq: (previous?.seq ?? 0) + 1,
    previous_hash: previous?.hash ?? null,
  };
  return { ...placed, hash: await hashOf(placed) };
}

/** An entry in its place. */
export type Linked = AuditEntry & { readonly seq: number; readonly hash: string };

/** SHA-256 of text, base64url. */
export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return btoa(String.fromCharCode(...new Uint8Array(digest)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
