import type { Principal } from "../../core/principals/contract.ts";
import { refuse, type ProblemData, type Refusal } from "../../core/problem.ts";
import { ClientFrame, CLOSE, FRAME_LIMIT_BYTES } from "../../core/sessions/frames.ts";
import { newId } from "../../core/ids.ts";
import type { Call, Owner } from "./contract.ts";
import type { Kernel } from "./kernel.ts";
import { insertSession, openSession } from "./open-session.ts";
import { attachmentOf, endOf, resumeAt, send, type Attachment } from "./sockets.ts";

/** How the edge hands over a socket: identity and tenant are settled, in this header, as JSON. */
export const SOCKET_HEADER = "x-berth-socket";

export type SocketGrant = {
  readonly owner: Owner;
  readonly generation: number;
  readonly principal: Principal;
  readonly sessionId?: string;
  readonly checkedAtMs: number;
  readonly expiresAtMs: number | null;
};

/** What a chat needs of the object it lives in. */
export type ChatDeps = {
  readonly kernel: Kernel;
  accept(call: Call): Promise<{ ok: true; id: string; replayed: boolean } | Refusal>;
  cancel(owner: Owner, invocationId: string): Promise<{ ok: true } | Refusal>;
  pump(socket: WebSocket): void;
};

/** The session a new socket speaks in; a name that is new makes a session at once. */
export function sessionFor(
  kernel: Kernel,
  grant: SocketGrant,
  tag: string,
  nowMs: number,
): { readonly ok: true; readonly id: string } | Refusal {
  const speaker = {
    principal: grant.principal.id,
    ...(grant.sessionId === undefined ? {} : { sessionId: grant.sessionId }),
  };
  return kernel.sql.transaction(() => {
    const session = openSession(kernel, speaker, tag, nowMs);
    if (!session.ok || session.turn > 0) return session;
    const known = kernel.sql.one("SELECT 1 FROM session WHERE id = ?", session.id);
    if (!known) {
      insertSession(kernel, session.id, speaker.principal, grant.sessionId ?? null, 0, nowMs);
    }
    return session;
  });
}

export function firstAttachment(kernel: Kernel, grant: SocketGrant, sessionId: string): Attachment {
  return {
    owner: grant.owner,
    principal: grant.principal.id,
    keyId: grant.principal.kind === "key" ? grant.principal.id : null,
    expiresAtMs: grant.expiresAtMs,
    sessionId,
    place: endOf(kernel, sessionId),
    checkedAtMs: grant.checkedAtMs,
    generation: grant.generation,
  };
}

/** One frame from a client; whatever is wrong with it is said, and the socket stays. */
export async function receive(
  deps: ChatDeps,
  socket: WebSocket,
  text: string,
  nowMs: number,
): Promise<void> {
  const frame = parseFrame(text);
  if (!frame.ok) {
    send(socket, { type: "refused", id: null, problem: frame.problem });
    return;
  }
  switch (frame.value.type) {
    case "ping":
      send(socket, { type: "pong" });
      return;
    case "resume":
      resumeAt(socket, frame.value.seq);
      deps.pump(socket);
      return;
    case "cancel":
      await cancel(deps, socket, frame.value.invocation_id);
      return;
    case "message":
      await say(deps, socket, frame.value, nowMs);
  }
}

async function say(
  deps: ChatDeps,
  socket: WebSocket,
  message: Extract<ClientFrame, { type: "message" }>,
  nowMs: number,
): Promise<void> {
  const { owner, principal, sessionId, generation } = attachmentOf(socket);
  const input = JSON.stringify(message.text);
  const accepted = await deps.accept({
    owner,
    generation,
    principal,
    fingerprint: deps.kernel.sha256(`${sessionId}\n${input}`),
    input,
    sessionId,
    requestId: newId("request", nowMs),
    deltas: true,
    ...(message.id === undefined ? {} : { idempotencyKey: `${sessionId}/${message.id}` }),
  });
  const id = message.id ?? null;
  if (!accepted.ok) {
    send(socket, { type: "refused", id, problem: accepted.problem });
    return;
  }
  const { id: invocationId, replayed } = accepted;
  send(socket, { type: "accepted", id, invocation_id: invocationId, replayed });
}

/** A principal may cancel what its own session runs, and nothing else. */
async function cancel(deps: ChatDeps, socket: WebSocket, invocationId: string): Promise<void> {
  const { owner, sessionId } = attachmentOf(socket);
  const mine = deps.kernel.sql.one(
    "SELECT 1 FROM invocation WHERE id = ? AND session_id = ?",
    invocationId,
    sessionId,
  );
  const done = mine
    ? await deps.cancel(owner, invocationId)
    : refuse("not_found", "no such invocation in this session");
  if (!done.ok) send(socket, { type: "refused", id: null, problem: done.problem });
}

type Parsed =
  | { readonly ok: true; readonly value: ClientFrame }
  | { readonly ok: false; readonly problem: ProblemData };

function parseFrame(text: string): Parsed {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return refuse("malformed_json", "the frame is no JSON");
  }
  const frame = ClientFrame.safeParse(json);
  if (frame.success) return { ok: true, value: frame.data };
  return refuse("invalid", "the frame does not fit its schema", {
    errors: frame.error.issues.slice(0, 8).map((issue) => ({
      pointer: issue.path.map((part) => `/${String(part)}`).join(""),
      detail: issue.message,
    })),
  });
}

/** Most frames a socket may send in a second; a person types fewer, a loop sends more. */
const FRAMES_PER_SECOND = 50;

/** Frames of each socket in the current second; in memory only, so an eviction forgives. */
export class FrameRates {
  readonly #seconds = new WeakMap<WebSocket, { second: number; count: number }>();

  /** @returns false when this frame is one too many. */
  take(socket: WebSocket, nowMs: number): boolean {
    const second = Math.floor(nowMs / 1000);
    const before = this.#seconds.get(socket);
    const count = before?.second === second ? before.count + 1 : 1;
    this.#seconds.set(socket, { second, count });
    return count <= FRAMES_PER_SECOND;
  }
}

/** Is the frame text of a bearable size? Closes the socket when not. */
export function bearable(socket: WebSocket, frame: string | ArrayBuffer): frame is string {
  if (typeof frame === "string" && frame.length <= FRAME_LIMIT_BYTES / 3) return true;
  if (typeof frame === "string" && new TextEncoder().encode(frame).length <= FRAME_LIMIT_BYTES) {
    return true;
  }
  socket.close(CLOSE.too_large, "text frames of at most 1 MiB");
  return false;
}
