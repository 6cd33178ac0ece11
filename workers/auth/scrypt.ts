/**
 * The slow hash of passwords, on the isolate's own thread: a derivation takes it for a good tenth
 * of a second, whichever form of the call is used. So few may wait, one is computed at a time, and
 * between two of them other requests have their turn.
 */
import crypto from "node:crypto";
import type { Derive } from "../../core/passwords/contract.ts";
import { Problem } from "../../core/problem.ts";

const HASH_BYTES = 32;
/** More would wait for seconds, and whoever sends them is guessing. */
const WAITING_MOST = 16;
/** 128 · N · r bytes and a little; a stored hash that asks for more is not computed. */
const MEMORY_MOST = 64 * 1024 * 1024;

let waiting = 0;
let last: Promise<unknown> = Promise.resolve();

/** @throws Problem `overloaded`  when too many wait already */
export const derive: Derive = async (password, salt, cost) => {
  if (waiting >= WAITING_MOST) {
    throw new Problem("overloaded", "too many sign-ins at once", { retryAfterMs: 2000 });
  }
  waiting += 1;
  const before = last;
  const mine = turnAfter(before).then(() => scrypt(password, salt, cost));
  last = mine.catch(() => undefined);
  try {
    return await mine;
  } finally {
    waiting -= 1;
  }
};

/** Once `before` is done and what waits for the thread has had it. */
async function turnAfter(before: Promise<unknown>): Promise<void> {
  await before;
  await new Promise((go) => setTimeout(go, 0));
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
