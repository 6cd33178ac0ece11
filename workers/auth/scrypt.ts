/**
 * The slow hash of passwords, on the isolate's own thread: a derivation takes it for a good tenth
 * of a second, whichever form of the call is used. So few may wait, and between two of them other
 * requests have their turn.
 *
 * Nobody waits for another request's promise: what goes on behind one goes on in that request's
 * context, which may be gone by then.
 */
import crypto from "node:crypto";
import type { Derive } from "../../core/passwords/contract.ts";
import { Problem } from "../../core/problem.ts";

const HASH_BYTES = 32;
/** More than a login page's rush: whoever sends them is guessing. */
const WAITING_MOST = 64;
/** Who has waited so long by its turn is told to come again: its answer would help nobody. */
const WAIT_MOST_MS = 10_000;
/** A request that was cut off leaves its turn behind; after this it counts no more. */
const LEFT_BEHIND_MS = 30_000;
/** 128 · N · r bytes and a little; a stored hash that asks for more is not computed. */
const MEMORY_MOST = 64 * 1024 * 1024;

/** Turns that wait or are computed, by when they began. */
const turns = new Map<symbol, number>();

/** @throws Problem `rate_limited`  when too many wait already, or this one has waited too long */
export const derive: Derive = async (password, salt, cost) => {
  const beganAtMs = Date.now();
  const turn = beginTurn(beganAtMs);
  try {
    // Behind whatever waits for the thread by now.
    await new Promise((go) => setTimeout(go, 0));
    if (Date.now() - beganAtMs > WAIT_MOST_MS) throw tooMany();
    return await scrypt(password, salt, cost);
  } finally {
    turns.delete(turn);
  }
};

function beginTurn(nowMs: number): symbol {
  for (const [turn, atMs] of turns) {
    if (nowMs - atMs > LEFT_BEHIND_MS) turns.delete(turn);
  }
  if (turns.size >= WAITING_MOST) throw tooMany();
  const turn = Symbol("turn");
  turns.set(turn, nowMs);
  return turn;
}

/** 429, not 503: nothing is broken, and who comes again is served. */
function tooMany(): Problem {
  return new Problem("rate_limited", "too many sign-ins at once", { retryAfterMs: 2000 });
}

function scrypt(
  password: string,
  salt: Uint8Array,
  { n, r, p }: Parameters<Derive>[2],
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const options = { N: n, r, p, maxmem: MEMORY_MOST };
    crypto.scrypt(password, salt, HASH_BYTES, options, (error, hash) => {
      if (error === null) resolve(new Uint8Array(hash));
      else reject(error);
    });
  });
}
