import { findLiveAgent } from "../../core/deployments/store.ts";
import { tenantScope } from "../../core/db/scope.ts";
import { findKey } from "../../core/keys/store.ts";
import { PROBLEMS, type ProblemData } from "../../core/problem.ts";
import { CLOSE, seqOf } from "../../core/sessions/frames.ts";
import {
  bearable,
  firstAttachment,
  FrameRates,
  receive,
  sessionFor,
  type ChatDeps,
  type SocketGrant,
} from "./chat.ts";
import type { Owner } from "./contract.ts";
import type { Naming } from "./invocations.ts";
import { configOf, platformOf } from "./settings.ts";
import { attach, attachmentOf, Pumps, send, type Attachment } from "./sockets.ts";

/** The sockets of one object: opened here, woken here, closed here. */
export class ChatRoom {
  readonly #ctx: DurableObjectState;
  readonly #env: Env;
  readonly #deps: Omit<ChatDeps, "pump">;
  readonly #pumps: Pumps;
  readonly #rates = new FrameRates();
  /** Sockets this object holds, hibernated ones included; unknown until first asked. */
  #count: number | undefined;

  constructor(
    ctx: DurableObjectState,
    env: Env,
    deps: Omit<ChatDeps, "pump">,
    naming: (owner: Owner) => Naming,
  ) {
    this.#ctx = ctx;
    this.#env = env;
    this.#deps = deps;
    this.#pumps = new Pumps(deps.kernel, naming, (socket) => this.#allowed(socket));
  }

  /** Accept a socket the edge has granted. */
  open(grant: SocketGrant, tag: string, nowMs: number): Response {
    const session = sessionFor(this.#deps.kernel, grant, tag, nowMs);
    if (!session.ok) return refused(session.problem);
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server, [session.id]);
    const attachment = firstAttachment(this.#deps.kernel, grant, session.id);
    server.serializeAttachment(attachment);
    this.#count = this.#ctx.getWebSockets().length;
    send(server, { type: "ready", session_id: session.id, seq: seqOf(attachment.place) });
    this.#pump(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  async message(socket: WebSocket, frame: string | ArrayBuffer): Promise<void> {
    if (!bearable(socket, frame)) return;
    if (!this.#rates.take(socket, Date.now())) {
      socket.close(CLOSE.too_fast, "too many frames a second");
      return;
    }
    if (!(await this.#allowed(socket))) return;
    const deps = { ...this.#deps, pump: (woken: WebSocket) => this.#pump(woken) };
    await receive(deps, socket, frame, Date.now());
  }

  closed(): void {
    this.#count = undefined;
  }

  /** A session has taken a turn: those who watch it are told. */
  turned(sessionId: string): void {
    this.#count ??= this.#ctx.getWebSockets().length;
    if (this.#count === 0) return;
    for (const socket of this.#ctx.getWebSockets(sessionId)) this.#pump(socket);
  }

  #pump(socket: WebSocket): void {
    void this.#pumps.pump(socket).catch((e: unknown) => {
      console.error(JSON.stringify({ level: "error", event: "chat.defect", detail: String(e) }));
    });
  }

  /** S3. A socket that may no longer is closed; the check also learns what is live now. */
  async #allowed(socket: WebSocket): Promise<boolean> {
    const attachment = attachmentOf(socket);
    const nowMs = Date.now();
    if (nowMs - attachment.checkedAtMs < configOf(this.#env).credentialCacheMs) return true;
    const valid = await this.#valid(attachment, nowMs);
    if (valid) attach(socket, { checkedAtMs: nowMs, generation: valid.generation });
    else if (socket.readyState === WebSocket.OPEN) {
      socket.close(CLOSE.credential, "the credential is no longer valid");
    }
    return valid !== undefined;
  }

  async #valid(
    attachment: Attachment,
    nowMs: number,
  ): Promise<{ readonly generation: number } | undefined> {
    const { owner, keyId, expiresAtMs, generation } = attachment;
    if (expiresAtMs !== null && expiresAtMs <= nowMs) return undefined;
    const platform = platformOf(this.#env);
    if (keyId !== null) {
      const key = await findKey(platform, keyId);
      if (!key || key.revokedAtMs !== null) return undefined;
      if (key.expiresAtMs !== null && key.expiresAtMs <= nowMs) return undefined;
    }
    const scope = tenantScope(platform, owner.tenantId);
    const live = await findLiveAgent(scope, owner.agentId, owner.environment);
    return { generation: Math.max(generation, live?.generation ?? 0) };
  }
}

function refused(problem: ProblemData): Response {
  return Response.json(problem, { status: PROBLEMS[problem.code].status });
}
