/**
 * The form of a client secret: `berth_cs_<id>_<secret><check>`, made and checked as an API key is
 * (core/keys/format.ts), under a head of its own that scanners can tell from a key's.
 */
import { PREFIXES, isId } from "../ids.ts";
import { checkOf } from "../keys/format.ts";

const HEAD = "berth_cs_";
const FORM = /^(berth_cs_([0-9a-z]{26})_([0-9A-Za-z]{43}))([0-9A-Za-z]{6})$/;

/** The whole secret, as its holder keeps it. */
export function makeClientSecret(made: { readonly id: string; readonly secret: string }): string {
  const body = `${startOfSecret(made.id)}_${made.secret}`;
  return body + checkOf(body);
}

/** What may be shown of it for ever. */
export function startOfSecret(id: string): string {
  return HEAD + id.slice(PREFIXES.clientSecret.length + 1);
}

/** Id and secret of a well-formed client secret; undefined for anything else. Reads nothing. */
export function parseClientSecret(
  text: string,
): { readonly secretId: string; readonly secret: string } | undefined {
  const [, body, idPart, secret, check] = FORM.exec(text) ?? [];
  if (body === undefined || secret === undefined || checkOf(body) !== check) return undefined;
  const secretId = `${PREFIXES.clientSecret}_${idPart}`;
  return isId("clientSecret", secretId) ? { secretId, secret } : undefined;
}
