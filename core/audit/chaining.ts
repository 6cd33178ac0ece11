/**
 * Chaining a tenant's audit trail, for its gate.
 *
 * H1  The rows are the record; the head that is kept beside them is their witness. Whatever was
 *     done to the rows, the next entry follows this head, so that what was changed does not fit.
 * H2  One pass at a time here. A second gate of the tenant (an incarnation that does not know yet
 *     that it has ended) cannot give a place twice: the index refuses it, and it reads again.
 * H3  Dying anywhere repeats work and changes none: rows that were written and are not in the head
 *     yet are taken over where they follow it, and signing a place again keeps the first signature.
 */
import { signCheckpoint } from "./checkpoint.ts";
import { type Linked, linked } from "./chain.ts";
import type { AuditEntry, Checkpoint, Mark } from "./contract.ts";
import { chainTail, findCheckpoint, keepCheckpoint, topSeq, writeLinks } from "./store-chain.ts";
import { followChain } from "./verify.ts";
import type { SigningJwk } from "../config.ts";
import type { TenantScope } from "../db/scope.ts";

/** Entries chained in one batch. */
const PAGE = 50;
/** Entries between two checkpoints, and time after which the next entry brings one. */
const SIGN_EVERY = 100;
const SIGN_AFTER_MS = 24 * 3_600_000;
/** Times a batch may lose to another gate's. */
const LOSSES = 3;

export type ChainPorts = {
  /** Survives the incarnation; written at once. */
  readonly kept: { read(): Kept | undefined; write(kept: Kept): void };
  readonly scope: () => TenantScope;
  readonly signing: () => SigningJwk | undefined;
  readonly now: () => number;
};

/** The head, and the last place that was signed. */
export type Kept = Mark & { readonly signedSeq: number; readonly signedMs: number };

const NOTHING: Kept = { seq: 0, hash: "", signedSeq: 0, signedMs: 0 };

export class Chain {
  readonly #ports: ChainPorts;
  #running: Promise<void> | undefined;
  #again = false;

  constructor(ports: ChainPorts) {
    this.#ports = ports;
  }

  /** What the gate remembers; null before the first entry. */
  head(): Mark | null {
    return markOf(this.#kept());
  }

  /** Chain everything that waits. Whoever comes meanwhile waits for a pass that sees its entries. */
  async extend(): Promise<Mark | null> {
    if (this.#running !== undefined) this.#again = true;
    this.#running ??= this.#passes().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
    return this.head();
  }

  /** Chain what waits and sign the head; null for an empty chain, and where no key signs. */
  async sign(): Promise<Checkpoint | null> {
    await this.extend();
    if (this.head() === null) return null;
    const seq = await this.#signHead();
    return (await findCheckpoint(this.#ports.scope(), seq)) ?? null;
  }

  async #passes(): Promise<void> {
    let losses = 0;
    do {
      this.#again = false;
      for (;;) {
        const { ahead, waiting } = await chainTail(this.#ports.scope(), this.#kept().seq, PAGE);
        if (ahead.length > 0) await this.#takeOver(ahead);
        else if (waiting.length === 0) break;
        else if (!(await this.#append(waiting))) {
          losses += 1;
          if (losses > LOSSES)
            throw new Error("the chain is written by somebody else all the time");
        }
        await this.#signWhenDue();
      }
    } while (this.#again);
  }

  /** Give the waiting entries their places; false when another gate was faster. */
  async #append(waiting: readonly AuditEntry[]): Promise<boolean> {
    const kept = this.#kept();
    const links: Linked[] = [];
    let head = markOf(kept);
    for (const entry of waiting.slice(0, roomOf(kept))) {
      const link = await linked(entry, head);
      links.push(link);
      head = link;
    }
    try {
      await writeLinks(this.#ports.scope(), links);
    } catch (error) {
      // A place that is taken; anything else shows again at once.
      if ((await topSeq(this.#ports.scope())) <= kept.seq) throw error;
      return false;
    }
    // The head moves where the rows are read back, so what another gate wrote is seen there too.
    return true;
  }

  /** Rows beyond the head: of a batch whose end was not seen, or somebody's who does not chain. */
  async #takeOver(ahead: readonly AuditEntry[]): Promise<void> {
    const kept = this.#kept();
    const room = ahead.slice(0, roomOf(kept));
    const { head, fault } = await followChain(room, markOf(kept));
    if (head !== null && head.seq > kept.seq) this.#keep({ ...this.#kept(), ...head });
    if (fault === undefined) return;
    // H1: its number is passed over, so that verifying names it, and our own hash goes on. Signed,
    // so that what follows can be verified by itself.
    const seq = await topSeq(this.#ports.scope());
    this.#keep({ ...this.#kept(), seq });
    await this.#signHead();
  }

  async #signWhenDue(): Promise<void> {
    const { seq, signedSeq, signedMs } = this.#kept();
    const aged = this.#ports.now() - signedMs >= SIGN_AFTER_MS;
    if (seq > signedSeq && (aged || seq - signedSeq >= SIGN_EVERY)) await this.#signHead();
  }

  /** Answers the place; nothing is signed where no key is configured to. */
  async #signHead(): Promise<number> {
    const { signing, scope, now } = this.#ports;
    const { seq, hash } = this.#kept();
    const jwk = signing();
    if (jwk === undefined) return seq;
    const nowMs = now();
    await keepCheckpoint(
      scope(),
      await signCheckpoint(jwk, scope().tenantId, { seq, hash }, nowMs),
    );
    this.#keep({ ...this.#kept(), signedSeq: seq, signedMs: nowMs });
    return seq;
  }

  #kept(): Kept {
    return this.#ports.kept.read() ?? NOTHING;
  }

  #keep(kept: Kept): void {
    this.#ports.kept.write(kept);
  }
}

function markOf({ seq, hash }: Kept): Mark | null {
  return seq === 0 ? null : { seq, hash };
}

/** Up to the next place that is signed. */
function roomOf({ seq, signedSeq }: Kept): number {
  return Math.max(1, Math.min(PAGE, SIGN_EVERY - (seq - signedSeq)));
}
