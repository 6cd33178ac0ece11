import { type Host, parseHost } from "../../core/hosts/parse.ts";
import { Problem } from "../../core/problem.ts";

/**
 * The authority a request was sent to: its `Host` header, and nothing else a client can set.
 * Calls between Workers carry none; their URL is the only place it stands.
 */
export function authorityOf(request: Request): string {
  const header = request.headers.get("host");
  if (header !== null) return header;
  try {
    return new URL(request.url).host;
  } catch {
    return "";
  }
}

/** @throws Problem `not_found`, the very one of an unknown tenant */
export function hostOf(authority: string, baseDomain: string): Host {
  const host = parseHost(authority, baseDomain);
  if (host === undefined) throw unknownHost();
  return host;
}

/** One answer for a host that is not ours, a reserved name and a tenant that is not there. */
export function unknownHost(): Problem {
  return new Problem("not_found", "nothing is served at this host");
}
