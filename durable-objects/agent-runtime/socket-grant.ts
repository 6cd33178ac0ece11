import type { Grant } from "./standing.ts";

/** How the edge hands over a socket: identity and tenant are settled, in this header, encoded. */
const SOCKET_HEADER = "x-berth-socket";

export type SocketGrant = Grant & {
  /** `Principal.id`. */
  readonly principal: string;
  readonly generation: number;
  readonly session?: string;
  /** Begin after this event of the session. */
  readonly after?: number;
};

/** Headers of the request that opens a socket in an object. Names may hold any character. */
export function socketHeaders(grant: SocketGrant): Record<string, string> {
  return { upgrade: "websocket", [SOCKET_HEADER]: encodeURIComponent(JSON.stringify(grant)) };
}

export function grantOf({ headers }: Request): SocketGrant | undefined {
  const grant = headers.get(SOCKET_HEADER);
  if (grant === null || headers.get("upgrade") !== "websocket") return undefined;
  return JSON.parse(decodeURIComponent(grant)) as SocketGrant; // the edge alone writes it
}
