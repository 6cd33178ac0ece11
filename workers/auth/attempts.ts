/**
 * How often somebody may try (F29). Counted before anything is looked at, alike for accounts that
 * are there and accounts that are not, exactly, by the tenant's gate.
 *
 * Limits pass: none of them locks an owner out for longer than its period, and while one holds
 * there is the link to a new password, which signs in by itself and is counted apart.
 */
import { Problem } from "../../core/problem.ts";
import type { Demand } from "../../durable-objects/tenant-gate/contract.ts";
import { gateOf } from "../api/gate.ts";
import { addressOf } from "../edge/actor.ts";
import type { Arrival } from "../edge/arrival.ts";
import { sha256 } from "../edge/hash.ts";

const MINUTE_MS = 60_000;
/** The gate of the platform's own host, where there is no tenant yet. */
const PLATFORM_GATE = "platform";

type Allowance = readonly [limit: number, periodMs: number];

/** What is tried, and how often: from one address, at one account from one address, at one account. */
const ALLOWANCES = {
  login: {
    address: [60, 5 * MINUTE_MS],
    pair: [10, 5 * MINUTE_MS],
    account: [100, 60 * MINUTE_MS],
  },
  forgot: {
    address: [20, 10 * MINUTE_MS],
    pair: [3, 60 * MINUTE_MS],
    account: [5, 60 * MINUTE_MS],
  },
  register: {
    address: [20, 60 * MINUTE_MS],
    pair: [3, 60 * MINUTE_MS],
    account: [5, 60 * MINUTE_MS],
  },
  link: { address: [30, 10 * MINUTE_MS] },
  sign_up: { address: [5, 60 * MINUTE_MS], account: [3, 60 * MINUTE_MS] },
  password: { account: [10, 5 * MINUTE_MS] },
  sso: { address: [300, 10 * MINUTE_MS] },
} as const satisfies Record<string, Partial<Record<"address" | "pair" | "account", Allowance>>>;

export type Attempt = keyof typeof ALLOWANCES;

/**
 * Count one attempt.
 *
 * @param account  The e-mail address it is about, or a user's id; kept as its hash.
 * @throws Problem `rate_limited` with the time to wait
 */
export async function admitAttempt(
  env: Env,
  arrival: Arrival,
  attempt: Attempt,
  account?: string,
): Promise<void> {
  const demands = demandsOf(attempt, addressOf(arrival.request), account);
  if (demands.length === 0) return;
  const tenantId = arrival.at === "tenant" ? arrival.residence.tenant.id : PLATFORM_GATE;
  const admitted = await gateOf(env, tenantId).admit(tenantId, demands);
  if (admitted.ok) return;
  const { retryAfterMs } = admitted;
  throw new Problem("rate_limited", "too many attempts; wait a while", { retryAfterMs });
}

/** Without an address nothing is counted by it: one counter for all would be a way to lock all out. */
function demandsOf(
  attempt: Attempt,
  address: string | null,
  account: string | undefined,
): readonly Demand[] {
  const by = {
    address: address === null ? undefined : networkOf(address),
    account: account === undefined ? undefined : sha256(account),
  };
  const pair = by.address && by.account && `${by.account}/${by.address}`;
  const subjects = { ...by, pair: pair === "" ? undefined : pair };
  return Object.entries(ALLOWANCES[attempt]).flatMap(([kind, [limit, periodMs]]) => {
    const subject = subjects[kind as keyof typeof subjects]; // its keys are those of ALLOWANCES
    return subject === undefined
      ? []
      : [{ subject: `auth/${attempt}/${kind}/${subject}`, limit, periodMs }];
  });
}

/** One subscriber has a whole /64 of IPv6: its addresses count as one. */
function networkOf(address: string): string {
  const [, mapped] = /^::ffff:([\d.]+)$/i.exec(address) ?? [];
  if (mapped !== undefined) return mapped;
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.toLowerCase().split("%", 1)[0]?.split("::", 2) ?? [];
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros =
    tail === undefined ? [] : Array<string>(Math.max(0, 8 - first.length - last.length)).fill("0");
  return [...first, ...zeros, ...last]
    .slice(0, 4)
    .map((part) => part.replace(/^0+(?=.)/, ""))
    .join(":");
}
