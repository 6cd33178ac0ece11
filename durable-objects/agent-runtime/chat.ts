import { isId, newId } from "../../core/ids.ts";
import { refuse, type ProblemData, type Refusal } from "../../core/problem.ts";
import { refusedFrame, seqOf, type ClientFrame, type Place } from "../../core/sessions/frames.ts";
import { parseFrame } from "./chat-frame.ts";
import type { Accepted, Turn } from "./chat-meter.ts";
import type { Call, Owner } from "./contract.ts";
import type { Kernel } from "./kernel.ts";
import { insertSession, openSession } from "./open-session.ts";
import { endOf, placeIn, speakerOf } from "./session-log.ts";
import { attach, attachmentOf, send } from "./sockets.ts";
import type { SocketGrant } from "./socket-grant.ts";

/** What a chat needs of the object it lives in. */
export type ChatDeps = {
  readonly kernel: Kernel;
  accept(call: Call): Promise<Accepted>;
  cancel(owner: Owner, invocationId: string): Promise<{ ok: true } | Refusal>;
  /** Have a turn counted against the limits of the socket's key (chat-meter.ts). */
  metered(turn: Turn, accept: () => Promise<Accepted>): Promise<Accepted>;
  pump(socket: WebSocket): void;
  /** No event goes out while `work` lasts. */
  held<T>(socket: WebSocket, work: () => Promise<T>): Promise<T>;
};

/** Where a new socket speaks and begins; a name that is new makes a session at once. */
export function sessionFor(
  kernel: Kernel,
  grant: SocketGrant,
  tag: string,
  nowMs: number,
): { readonly ok: true; readonly id: string; readonly place: Place } | Refusal {
  const { principal, session: name, after } = grant;
  const speaker = { principal, ...(name === undefined ? {} : { sessionId: name }) };
  return kernel.sql.transaction(() => {
    const session = openSession(kernel, speaker, tag, nowMs);
    if (!session.ok) return session;
    const { id } = session;
    const place = after === undefined ? endOf(kernel, id) : placeIn(kernel, id, after);
    if (!place) return { ok: false, problem: noSuchPlace("after") };
    if (!kernel.sql.one("SELECT 1 FROM session WHERE id = ?", id)) {
      insertSession(kernel, id, principal, clientKeyOf(name), nowMs);
    }
    return { ok: true, id, place };
  });
}

/** A session's id is no name that a client gave it. */
function clientKeyOf(name: string | undefined): string | null {
  return name === undefined || isId("session", name) ? null : name;
}

/** One frame from a client; whatever is wrong with it is said, and the socket stays. */
export async function receive(
  deps: ChatDeps,
  socket: WebSocket,
  text: string,
  nowMs: number,
): Promise<void> {
  const parsed = parseFrame(text);
  if (!parsed.ok) {
    refuseFrame(socket, parsed.id, parsed.problem, newId("request", nowMs));
    return;
  }
  const { frame } = parsed;
  switch (frame.type) {
    case "ping":
      send(socket, { type: "pong" });
      return;
    case "resume":
      resume(deps, socket, frame.seq, nowMs);
      return;
    case "cancel":
      await cancel(deps, socket, frame.invocation_id, nowMs);
      return;
    case "message":
      await deps.held(socket, () => say(deps, socket, frame, nowMs));
  }
}

async function say(
  deps: ChatDeps,
  socket: WebSocket,
  message: Extract<ClientFrame, { type: "message" }>,
  nowMs: number,
): Promise<void> {
  const { grant, sessionId, generation, meter } = attachmentOf(socket);
  const { kernel } = deps;
  const input = JSON.stringify(message.text);
  const requestId = newId("request", nowMs);
  // No Idempotency-Key of a request holds a space: the two never meet.
  const key = message.id === undefined ? undefined : `${sessionId} ${message.id}`;
  const call = {
    owner: grant.owner,
    generation,
    principal: speakerOf(kernel, sessionId),
    fingerprint: kernel.sha256(`${sessionId}\n${input}`),
    input,
    sessionId,
    requestId,
    deltas: true,
    ...(key === undefined ? {} : { idempotencyKey: key }),
  };
  const turn = { tenantId: grant.owner.tenantId, meter: meter ?? null, charge: key };
  const accepted = await deps.metered(turn, () => deps.accept(call));
  const id = message.id ?? null;
  if (!accepted.ok) {
    refuseFrame(socket, id, named(accepted.problem), requestId);
    return;
  }
  const { id: invocationId, replayed } = accepted;
  send(socket, { type: "accepted", id, invocation_id: invocationId, replayed });
}

/** Here the key is the frame's `id`. */
function named(problem: ProblemData): ProblemData {
  if (problem.code !== "idempotency_mismatch") return problem;
  const errors = [{ pointer: "/id", detail: "used with another text" }];
  return { ...problem, detail: "this id was used with another text", errors };
}

function resume(deps: ChatDeps, socket: WebSocket, seq: number, nowMs: number): void {
  const place = placeIn(deps.kernel, attachmentOf(socket).sessionId, seq);
  if (!place) {
    refuseFrame(socket, null, noSuchPlace("/seq"), newId("request", nowMs));
    return;
  }
  attach(socket, { place });
  send(socket, { type: "resumed", seq: seqOf(place) });
  deps.pump(socket);
}

/** @param pointer  Where the number stood that the session has not come to. */
function noSuchPlace(pointer: string): ProblemData {
  const detail = "the session has no such event";
  return { code: "invalid", detail, errors: [{ pointer, detail }] };
}

/** A socket may cancel what its own session runs, and nothing else. */
async function cancel(
  deps: ChatDeps,
  socket: WebSocket,
  invocationId: string,
  nowMs: number,
): Promise<void> {
  const { grant, sessionId } = attachmentOf(socket);
  const mine = deps.kernel.sql.one(
    "SELECT 1 FROM invocation WHERE id = ? AND session_id = ?",
    invocationId,
    sessionId,
  );
  const done = mine
    ? await deps.cancel(grant.owner, invocationId)
    : refuse("not_found", "no such invocation in this session");
  if (!done.ok) refuseFrame(socket, null, done.problem, newId("request", nowMs));
}

function refuseFrame(
  socket: WebSocket,
  id: string | null,
  problem: ProblemData,
  requestId: string,
): void {
  send(socket, refusedFrame(id, problem, requestId));
}
