/** What a client sends to the token endpoint: one form, each parameter once. */
import { readBytes } from "../edge/body.ts";
import { OAuthError } from "./oauth-error.ts";

/** Parameters by name; one without a value is as good as none. @source RFC 6749 §3.2 */
export type Form = ReadonlyMap<string, string>;

const MAX_BYTES = 32_768;
const TYPE = /^application\/x-www-form-urlencoded(?:\s*;\s*charset\s*=\s*"?utf-8"?)?\s*$/i;

/** @throws OAuthError `invalid_request` | Problem `too_large` */
export async function readForm(request: Request): Promise<Form> {
  if (!TYPE.test(request.headers.get("content-type") ?? "")) {
    throw malformed("send the parameters as application/x-www-form-urlencoded");
  }
  if (new URL(request.url).search !== "") {
    throw malformed("parameters belong in the body, not in the address");
  }
  return formOf(decoded(await readBytes(request, MAX_BYTES)));
}

/** @throws OAuthError `invalid_request` for a parameter that stands twice, or cannot be kept */
export function formOf(text: string): Form {
  const form = new Map<string, string>();
  const seen = new Set<string>();
  for (const pair of text.split("&")) {
    if (pair === "") continue;
    const at = pair.indexOf("=");
    const name = formDecoded(at === -1 ? pair : pair.slice(0, at));
    const value = formDecoded(at === -1 ? "" : pair.slice(at + 1));
    if (name === undefined || value === undefined || value.includes("\0")) {
      throw malformed("a parameter is not well-formed");
    }
    if (seen.has(name)) throw malformed("a parameter stands twice");
    seen.add(name);
    if (value !== "") form.set(name, value);
  }
  return form;
}

/** @source RFC 6749 appendix B */
export function formDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed("the body is not UTF-8");
  }
}

function malformed(description: string): OAuthError {
  return new OAuthError("invalid_request", description);
}
