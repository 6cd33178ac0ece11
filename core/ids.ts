/**
 * Ids: `prefix_` and 26 lower-case base-32 characters, ordered by time of making.
 *
 * 10 characters of epoch milliseconds, 16 of randomness (80 bits). An id whose owner is a
 * Durable Object (`inv_`, `ses_`, `apr_`, `mry_`, `doc_`) spends the first 6 of the 16 on the object's tag, so that the
 * object is found from the id alone (inside the tenant's own table, DECISIONS 2); 50 random bits
 * stay. Crockford's alphabet: no i, l, o, u.
 */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const TIME_LENGTH = 10;
const RANDOM_LENGTH = 16;

export const TAG_LENGTH = 6;

export const PREFIXES = {
  tenant: "ten",
  hostname: "hst",
  user: "usr",
  member: "mem",
  key: "key",
  agent: "agt",
  version: "ver",
  deployment: "dep",
  invocation: "inv",
  run: "run",
  session: "ses",
  message: "msg",
  toolCall: "tcl",
  provider: "prv",
  usage: "use",
  request: "req",
  event: "evt",
  audit: "aud",
  checkpoint: "chk",
  role: "rol",
  assignment: "asg",
  client: "cli",
  clientSecret: "cls",
  project: "prj",
  invitation: "ivt",
  confirmation: "cnf",
  refresh: "rft",
  issuer: "iss",
  sso: "sso",
  secret: "sec",
  dataKey: "dky",
  transfer: "xfr",
  erasure: "ers",
  redrive: "rdr",
  batch: "bat",
  limit: "lim",
  budget: "bud",
  stop: "stp",
  approval: "apr",
  callback: "cbk",
  schedule: "sch",
  firing: "frg",
  memory: "mry",
  document: "doc",
} as const;

export type IdNoun = keyof typeof PREFIXES;

/** Fills the array with random bytes; `crypto.getRandomValues` in every shell. */
export type FillRandom = (bytes: Uint8Array) => Uint8Array;

const POOL_BYTES = 1024;
const pool = new Uint8Array(POOL_BYTES);
let drawn = POOL_BYTES;

/** WebCrypto, asked for many ids' worth at a time: a call costs more than the bytes do. */
const random: FillRandom = (bytes) => {
  if (bytes.length > POOL_BYTES) return crypto.getRandomValues(bytes);
  if (drawn + bytes.length > POOL_BYTES) {
    crypto.getRandomValues(pool);
    drawn = 0;
  }
  bytes.set(pool.subarray(drawn, drawn + bytes.length));
  drawn += bytes.length;
  return bytes;
};

/**
 * A new id of `noun`.
 *
 * @param nowMs  Epoch ms; orders ids made in different milliseconds.
 * @param tag    Owning object's tag (`TAG_LENGTH` characters) for ids an object must be found by.
 */
export function newId(noun: IdNoun, nowMs: number, tag = "", fill: FillRandom = random): string {
  return `${PREFIXES[noun]}_${timePart(nowMs)}${tag}${randomPart(RANDOM_LENGTH - tag.length, fill)}`;
}

/** What no id made at `nowMs` or later sorts before. */
export function firstIdAt(noun: IdNoun, nowMs: number): string {
  return `${PREFIXES[noun]}_${timePart(Math.max(0, nowMs))}`;
}

/** A random tag for a Durable Object: `TAG_LENGTH` base-32 characters, 30 bits. */
export function newTag(fill: FillRandom = random): string {
  return randomPart(TAG_LENGTH, fill);
}

/** The tag inside an id that an object made, or `undefined` when it is no id of that noun. */
export function tagOf(
  noun: "invocation" | "session" | "approval" | "callback" | "memory" | "document",
  id: string,
): string | undefined {
  if (!isId(noun, id)) return undefined;
  const start = PREFIXES[noun].length + 1 + TIME_LENGTH;
  return id.slice(start, start + TAG_LENGTH);
}

/** True when `text` has the exact form of an id of `noun`; says nothing about existence. */
export function isId(noun: IdNoun, text: string): boolean {
  const prefix = PREFIXES[noun];
  if (text.length !== prefix.length + 1 + TIME_LENGTH + RANDOM_LENGTH) return false;
  if (!text.startsWith(`${prefix}_`)) return false;
  for (let i = prefix.length + 1; i < text.length; i += 1) {
    if (!ALPHABET.includes(text.charAt(i))) return false;
  }
  return true;
}

function timePart(nowMs: number): string {
  let rest = nowMs;
  let text = "";
  for (let i = 0; i < TIME_LENGTH; i += 1) {
    text = ALPHABET.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

function randomPart(length: number, fill: FillRandom): string {
  const bytes = fill(new Uint8Array(length));
  let text = "";
  for (const byte of bytes) text += ALPHABET.charAt(byte & 31);
  return text;
}
