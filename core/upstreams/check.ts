import type { ProblemPlace } from "../problem.ts";
import type { UpstreamSpec } from "./contract.ts";

export type UpstreamRules = {
  /** Why the egress rule refuses a URL, or `undefined`. */
  readonly refusedUrl: (url: string) => string | undefined;
  /** Why a header field of a spec may not go out, or `undefined`. */
  readonly headerFault: (
    name: string,
    value: UpstreamSpec["headers"][string],
  ) => string | undefined;
};

/** Why this upstream could not be called, as places in the spec; asked at publish. */
export function checkUpstream(
  { url, headers, auth }: UpstreamSpec,
  rules: UpstreamRules,
): readonly ProblemPlace[] {
  const at = "/upstream";
  return [
    ...baseFaults(`${at}/url`, url, rules),
    ...Object.entries(headers).flatMap(([name, value]) =>
      fault(`${at}/headers/${name}`, rules.headerFault(name, value)),
    ),
    ...authFaults(`${at}/auth`, auth, rules),
  ];
}

function authFaults(
  at: string,
  auth: UpstreamSpec["auth"],
  rules: UpstreamRules,
): readonly ProblemPlace[] {
  if (auth.kind === "oauth2") {
    return fault(`${at}/token_url`, rules.refusedUrl(auth.token_url));
  }
  if (auth.kind === "header") {
    return fault(`${at}/name`, rules.headerFault(auth.name, auth.value));
  }
  if (auth.kind === "hmac") {
    return fault(`${at}/header`, rules.headerFault(auth.header, auth.secret));
  }
  return [];
}

/** What is proxied is appended to the path, and brings its own query. */
function baseFaults(at: string, url: string, rules: UpstreamRules): readonly ProblemPlace[] {
  const refused = rules.refusedUrl(url);
  if (refused !== undefined) return fault(at, refused);
  const extra = url.includes("?") || url.includes("#");
  return fault(at, extra ? "is a base: it has neither query nor fragment" : undefined);
}

function fault(pointer: string, detail: string | undefined): readonly ProblemPlace[] {
  return detail === undefined ? [] : [{ pointer, detail }];
}
