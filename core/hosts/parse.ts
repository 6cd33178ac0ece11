import { slugFault } from "../tenants/slug.ts";

/**
 * Which face of the platform a host names: decided here, once, from the `Host` header alone.
 *
 * Everything that is not exactly one of the three kinds is `undefined`, which callers answer with
 * the same 404 as an unknown tenant. There is no default tenant, and no other header is consulted.
 *
 * @source GUARANTEES §5; RFC 9110 §7.2 (`Host`), RFC 1035 §2.3.1 (labels).
 */
export type Host =
  | { readonly kind: "platform" }
  | { readonly kind: "tenant"; readonly slug: string }
  | { readonly kind: "custom"; readonly hostname: string };

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const PORT = /^[1-9][0-9]{0,4}$/;
const NUMERIC = /^[0-9]+$/;
const PRINTABLE_ASCII = /^[\x21-\x7e]+$/;
const NAME_LENGTH = 253;

const PLATFORM: Host = { kind: "platform" };

/**
 * @param hostHeader  The `Host` header as received.
 * @param baseDomain  The apex, lower case, without a port.
 */
export function parseHost(hostHeader: string, baseDomain: string): Host | undefined {
  const name = hostName(hostHeader);
  if (name === undefined) return undefined;
  if (name === baseDomain) return PLATFORM;
  if (!name.endsWith(`.${baseDomain}`)) return customHost(name);
  const label = name.slice(0, -(baseDomain.length + 1));
  if (label === "api") return PLATFORM;
  return slugFault(label) === undefined ? { kind: "tenant", slug: label } : undefined;
}

/** Lower-case name without its port; `undefined` when either part is not legal. */
function hostName(hostHeader: string): string | undefined {
  // Before lower-casing: some non-ASCII letters have an ASCII lower case (the Kelvin sign).
  if (hostHeader.length > NAME_LENGTH + 6 || !PRINTABLE_ASCII.test(hostHeader)) return undefined;
  const colon = hostHeader.indexOf(":");
  if (colon === -1) return hostHeader.toLowerCase();
  const port = hostHeader.slice(colon + 1);
  if (!PORT.test(port) || Number(port) > 65_535) return undefined;
  return hostHeader.slice(0, colon).toLowerCase();
}

/** A name of the tenant's own; punycode is right there, addresses and bare words are not. */
function customHost(name: string): Host | undefined {
  if (name.length > NAME_LENGTH) return undefined;
  const labels = name.split(".");
  const top = labels.at(-1) ?? "";
  if (labels.length < 2 || NUMERIC.test(top)) return undefined;
  return labels.every((label) => LABEL.test(label))
    ? { kind: "custom", hostname: name }
    : undefined;
}
