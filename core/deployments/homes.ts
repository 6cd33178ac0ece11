/**
 * Which replica of an agent a call belongs to (DECISIONS 3).
 *
 * H1  A session's id names its object, so a change of the number of replicas moves no session.
 * H2  A session that its principal has named, and a request by its Idempotency-Key, are told by a
 *     hash. The same name meets the same replica as long as the number stays; after a change the
 *     places it may have been given before are known, and are asked first.
 * H3  A growth moves no name but to the new replicas.
 */
import { tagOf } from "../ids.ts";

/** The replicas an agent has or had in an environment. */
export type Homes = {
  /** By replica, those that were live once included. */
  readonly tags: readonly string[];
  /** How many there were, in the order of deployments; the last is how many there are. */
  readonly sizes: readonly number[];
};

/** What of a call tells its home. */
export type Addressed = {
  readonly principal: string;
  /** A `ses_` id, or the principal's own name for a session. */
  readonly sessionId?: string | undefined;
  readonly idempotencyKey?: string | undefined;
};

/** Where a call goes: `replica`, unless one of `earlier` knows its session or its key already. */
export type Home = { readonly replica: number; readonly earlier: readonly number[] };

/**
 * @param random  0 ≤ x < 1; decides for a call that names nothing.
 */
export function homeOfCall(homes: Homes, addressed: Addressed, random: () => number): Home {
  const { principal, sessionId, idempotencyKey } = addressed;
  const tag = sessionId === undefined ? undefined : tagOf("session", sessionId);
  if (tag !== undefined) return { replica: Math.max(0, homes.tags.indexOf(tag)), earlier: [] };
  const name = sessionId ?? idempotencyKey;
  const size = homes.sizes.at(-1) ?? 1;
  if (name === undefined) return { replica: Math.floor(random() * size), earlier: [] };
  const hash = hashOf(`${principal}\n${name}`);
  const replica = placeIn(hash, size);
  const before = homes.sizes.map((earlier) => placeIn(hash, earlier));
  return { replica, earlier: [...new Set(before)].filter((it) => it !== replica) };
}

/**
 * The homes after a deployment with `replicas`; null while there was only ever one.
 *
 * @param tags   Of all replicas that are there, in their order.
 * @param known  Something was live here before: sessions may have names.
 */
export function homesAfter(
  before: Homes | null,
  tags: readonly string[],
  replicas: number,
  known: boolean,
): Homes | null {
  if (before === null && replicas === 1) return null;
  const sizes = before?.sizes ?? (known ? [1] : []);
  return { tags, sizes: [...sizes.filter((size) => size !== replicas), replicas] };
}

/**
 * The share that `replica` has of a limit that the whole agent is held to, so that together they
 * never admit more: replicas that are only there for their old sessions have theirs too.
 */
export function shareOf(limit: number, replica: number, objects: number): number {
  const least = Math.floor(limit / objects);
  return replica < limit % objects ? least + 1 : least;
}

/**
 * The place of a name among `size`, even, and such that a growth moves names to new places only.
 *
 * @source  J. Lamping, E. Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", 2014.
 */
function placeIn(hash: bigint, size: number): number {
  let key = hash;
  let place = -1n;
  let next = 0;
  while (next < size) {
    place = BigInt(next);
    key = BigInt.asUintN(64, key * 2_862_933_555_777_941_757n + 1n);
    next = Math.floor(Number(place + 1n) * (2 ** 31 / Number((key >> 33n) + 1n)));
  }
  return Number(place);
}

/** FNV-1a, 64 bits. It only spreads: whoever chooses names that meet crowds its own agent. */
function hashOf(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash;
}
