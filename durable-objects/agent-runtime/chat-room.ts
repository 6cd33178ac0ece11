import { newId } from "../../core/ids.ts";
import { PROBLEMS, type ProblemData } from "../../core/problem.ts";
import { CLOSE, refusedFrame, seqOf } from "../../core/sessions/frames.ts";
import { fits } from "./chat-frame.ts";
import { metered } from "./chat-meter.ts";
import { receive, sessionFor, type ChatDeps } from "./chat.ts";
import type { Owner } from "./contract.ts";
import { Inbox } from "./inbox.ts";
import type { Naming } from "./invocations.ts";
import { logDefect } from "./runner.ts";
import { sessionOf } from "./session-log.ts";
import { configOf, platformOf } from "./settings.ts";
import { attach, attachmentOf, close, isOpen, Pumps, send, type Attachment } from "./sockets.ts";
import type { SocketGrant } from "./socket-grant.ts";
import { ended, Standings } from "./standing.ts";

/** What a close is said to be that had no frame. @source RFC 6455 §7.4.1 */
const NO_CLOSE_FRAME = 1006;

type RoomDeps = Omit<ChatDeps, "pump" | "held" | "metered">;

/** The sockets of one object: opened here, woken here, closed here. */
export class ChatRoom {
  readonly #ctx: DurableObjectState;
  readonly #deps: ChatDeps;
  readonly #pumps: Pumps;
  readonly #standings: Standings;
  readonly #inbox = new Inbox();
  /** Sockets this object holds, hibernated ones included; unknown until first asked. */
  #count: number | undefined;

  constructor(ctx: DurableObjectState, env: Env, deps: RoomDeps, naming: (owner: Owner) => Naming) {
    this.#ctx = ctx;
    this.#standings = new Standings(() => platformOf(env), configOf(env).credentialCacheMs);
    const pumps = new Pumps(deps.kernel, naming, (socket) => this.#allowed(socket));
    this.#pumps = pumps;
    this.#deps = {
      ...deps,
      pump: (socket) => pumps.pump(socket),
      held: (socket, work) => pumps.held(socket, work),
      metered: (turn, accept) => metered(env, turn, accept),
    };
    deps.kernel.feed.listen((invocationId) => this.#changed(invocationId));
    // What was stored when the last incarnation ended may not have been sent.
    for (const socket of ctx.getWebSockets()) pumps.pump(socket);
  }

  /** Accept a socket the edge has granted; what the edge knew of it is looked at once more. */
  async open(grant: SocketGrant, tag: string): Promise<Response> {
    const { owner, keyId, consoleSession, endsAtMs, user, client, generation } = grant;
    const behind = { ...(user && { user }), ...(client !== undefined && { client }) };
    const rests = { owner, keyId, consoleSession, endsAtMs, ...behind };
    const standing = await this.#standings.of(rests, Date.now());
    if (!standing.ok) return refusal(standing.problem);
    const session = sessionFor(this.#deps.kernel, grant, tag, Date.now());
    if (!session.ok) return refusal(session.problem);
    return this.#welcome({
      grant: rests,
      sessionId: session.id,
      place: session.place,
      checkedAtMs: standing.atMs,
      generation: Math.max(generation, standing.generation),
      meter: standing.meter,
    });
  }

  async message(socket: WebSocket, frame: string | ArrayBuffer): Promise<void> {
    if (!isOpen(socket)) return;
    if (typeof frame !== "string") close(socket, CLOSE.not_text, "text frames only");
    else if (!fits(frame)) close(socket, CLOSE.too_large, "text frames of at most 1 MiB");
    else if (!this.#inbox.admits(socket, frame.length, Date.now())) {
      close(socket, CLOSE.too_fast, "too many frames a second");
    } else {
      await this.#inbox.inTurn(socket, frame.length, () => this.#receive(socket, frame));
    }
  }

  /** A socket is gone, or says good-bye with `code`: then it is answered, or it would seem lost. */
  closed(socket?: WebSocket, code = NO_CLOSE_FRAME): void {
    this.#count = undefined;
    // The rest of the codes are not all ours to say.
    const said = code === 1001 || (code >= 3000 && code < 5000) ? code : 1000;
    if (code !== NO_CLOSE_FRAME) socket?.close(said);
  }

  /** A session has taken a turn: those who watch it are told. */
  turned(sessionId: string): void {
    if (this.#empty()) return;
    for (const socket of this.#ctx.getWebSockets(sessionId)) this.#pumps.pump(socket);
  }

  #changed(invocationId: string): void {
    if (this.#empty()) return;
    const sessionId = sessionOf(this.#deps.kernel, invocationId);
    if (sessionId !== undefined) this.turned(sessionId);
  }

  #empty(): boolean {
    this.#count ??= this.#ctx.getWebSockets().length;
    return this.#count === 0;
  }

  #welcome(attachment: Attachment): Response {
    const { sessionId, place } = attachment;
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server, [sessionId]);
    server.serializeAttachment(attachment);
    this.#count = undefined;
    send(server, { type: "ready", session_id: sessionId, seq: seqOf(place) });
    this.#pumps.pump(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  async #receive(socket: WebSocket, text: string): Promise<void> {
    try {
      if (!isOpen(socket) || !(await this.#allowed(socket))) return;
      await receive(this.#deps, socket, text, Date.now());
    } catch (error) {
      logDefect("chat.defect", error);
      const problem = { code: "internal", detail: "a defect of ours" } as const;
      send(socket, refusedFrame(null, problem, newId("request", Date.now())));
    }
  }

  /** S3. A socket that may no longer is closed; the check also learns what is live now. */
  async #allowed(socket: WebSocket): Promise<boolean> {
    const { grant, checkedAtMs } = attachmentOf(socket);
    const nowMs = Date.now();
    if (!ended(grant, nowMs) && this.#standings.fresh(checkedAtMs, nowMs)) return true;
    const standing = await this.#standings.of(grant, nowMs);
    if (!standing.ok) {
      close(socket, standing.close, standing.problem.detail);
      return false;
    }
    const generation = Math.max(attachmentOf(socket).generation, standing.generation);
    attach(socket, { checkedAtMs: standing.atMs, generation, meter: standing.meter });
    return true;
  }
}

/** A refusal for the edge to put into its own words. */
export function refusal(problem: ProblemData): Response {
  return Response.json(problem, { status: PROBLEMS[problem.code].status });
}
