const hex = (bytes: ArrayBuffer): string =>
  [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** What is signed: who knows the secret can tell that this was asked, and when. */
export type Signed = {
  readonly method: string;
  readonly url: URL;
  readonly body: Uint8Array | null;
  readonly atMs: number;
};

/**
 * `t={seconds},v1={hex}` with `hex = HMAC-SHA-256(secret, "{seconds}.{method}.{path and query}." + body)`.
 *
 * @source RFC 2104; the form is that of Stripe's webhooks, with method and path added.
 */
export async function signatureOf(secret: string, { method, url, body, atMs }: Signed) {
  const seconds = Math.floor(atMs / 1000);
  const head = `${seconds}.${method}.${url.pathname}${url.search}.`;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const raw = new TextEncoder().encode(secret);
  const key = await crypto.subtle.importKey("raw", raw, algorithm, false, ["sign"]);
  const start = new TextEncoder().encode(head);
  const message = new Uint8Array(start.length + (body?.length ?? 0));
  message.set(start);
  if (body !== null) message.set(body, start.length);
  return `t=${seconds},v1=${hex(await crypto.subtle.sign("HMAC", key, message))}`;
}
