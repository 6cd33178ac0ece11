/** One text per byte string: no padding, no white space, no loose bits in the last character. */
const SEGMENT =
  /^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?$/;

/**
 * The bytes of canonical base64url, or `undefined`. Decoders forgive, and what they forgive lets
 * one token have many texts (GUARANTEES E14). @source RFC 7515 §2, RFC 4648 §3.5
 */
export function canonicalBytes(segment: string): Uint8Array<ArrayBuffer> | undefined {
  if (!SEGMENT.test(segment)) return undefined;
  const binary = atob(segment.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}
