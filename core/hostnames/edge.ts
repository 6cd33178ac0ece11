/** Whatever answers for a name on the network: it needs a certificate and a route. */
import type { Problem } from "../problem.ts";

export type EdgeState = {
  /** Its name there; null where there are none. */
  readonly edgeId: string | null;
  readonly state: "verifying" | "active" | "failed";
  /** What it waits for or why it failed. */
  readonly detail: string | null;
};

/** A refusal is returned: the caller keeps what it has and asks again. */
export type EdgeAnswer = { readonly ok: true; readonly edge: EdgeState } | Unavailable;

export type Unavailable = { readonly ok: false; readonly problem: Problem };

export type HostnameEdge = {
  /** Make it known there if it is not, and say how it is. Again is no error. */
  readonly ensure: (name: string, edgeId: string | null) => Promise<EdgeAnswer>;
  /** Make it unknown there; what is not known is no error. */
  readonly remove: (
    name: string,
    edgeId: string | null,
  ) => Promise<{ readonly ok: true } | Unavailable>;
};

/**
 * For an installation whose own front (a proxy, a certificate of its own) answers for whatever name
 * leads to it: proven is active.
 */
export const localEdge: HostnameEdge = {
  ensure: async () => ({ ok: true, edge: { edgeId: null, state: "active", detail: null } }),
  remove: async () => ({ ok: true }),
};
