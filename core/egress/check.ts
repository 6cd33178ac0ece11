import { Problem } from "../problem.ts";
import type { EgressRule } from "./contract.ts";

const PORTS = new Set(["", "443", "8443"]);
const INSIDE = ["localhost", "localdomain", "local", "internal", "test", "home.arpa"];
const MAX_LENGTH = 4096;

/**
 * The one egress rule: may this URL be fetched on behalf of a tenant or a model?
 *
 * The text is parsed once and everything is decided on the parsed URL, which is also what must be
 * sent: `0x7f.1`, full-width digits and `127.0.0.1` are then the same thing (GUARANTEES E12).
 *
 * @param target  URL text, or a URL that was parsed before (an argument may have been put into it).
 * @returns       The URL to send, or the `invalid` problem that says what is wrong. Returned and
 *                not thrown, because publish collects it and egress throws it.
 */
export function checkUrl(target: string | URL, rule: EgressRule): URL | Problem {
  if (typeof target === "string" && target.length > MAX_LENGTH) return no("is too long");
  const url = typeof target === "string" ? parse(target) : target;
  if (url === undefined) return no("is not an absolute URL");
  if (url.username !== "" || url.password !== "") return no("carries a credential");
  if (url.protocol !== "https:" && url.protocol !== "http:") return no("is not https");
  if (rule.allow.length > 0 && rule.allow.includes(hostAndPort(url))) return url;
  if (url.protocol !== "https:") return no("is not https");
  if (!PORTS.has(url.port)) return no(`uses port ${url.port}; only 443 and 8443 are allowed`);
  const reason = insideHost(url.hostname) ?? ownHost(url.hostname, rule.ownHosts);
  return reason === undefined ? url : no(reason);
}

/** `host:port` with the scheme's default port written out: the form of an allow-list entry. */
export function hostAndPort(url: URL): string {
  return `${url.hostname}:${url.port || (url.protocol === "https:" ? "443" : "80")}`;
}

function no(reason: string): Problem {
  return new Problem("invalid", `the URL ${reason}`);
}

function parse(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

function insideHost(host: string): string | undefined {
  if (host.startsWith("[") || /^[0-9.]+$/.test(host)) return "names an IP address";
  if (host.endsWith(".")) return "has a host that ends in a dot";
  if (!host.includes(".")) return "has a host without a dot";
  if (INSIDE.some((zone) => within(host, zone))) return "names an inside host";
  return undefined;
}

function ownHost(host: string, ownHosts: readonly string[]): string | undefined {
  return ownHosts.some((own) => within(host, own)) ? "names this platform itself" : undefined;
}

function within(host: string, zone: string): boolean {
  return host === zone || host.endsWith(`.${zone}`);
}
