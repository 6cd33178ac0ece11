import type { KeyCode } from "../../core/keys/contract.ts";
import type { KeyUse } from "../../core/keys/use.ts";

const DAY_MS = 86_400_000;
/** How long an isolate keeps what it counted, at most, while it lives. */
const TELL_AFTER_MS = 3000;
/** A telling that was to come and did not, because its request was cut off, is begun anew. */
const OVERDUE_MS = 30_000;

type Count = { keyId: string; day: number; code: KeyCode; count: number; lastMs: number };

/**
 * How keys are used, counted in the isolate and told to the tenant's gate in batches: a request
 * pays for an addition. What an isolate has not told when it dies is lost, so the account is
 * approximate by a few seconds of it.
 */
export class KeyUses {
  readonly #tell: (tenantId: string, uses: readonly KeyUse[]) => Promise<void>;
  /** By tenant, then by key, outcome and day. */
  #counts = new Map<string, Map<string, Count>>();
  #telling: number | undefined;

  constructor(tell: (tenantId: string, uses: readonly KeyUse[]) => Promise<void>) {
    this.#tell = tell;
  }

  /** @param keep  Keeps the telling alive after the request that began it is gone. */
  count(
    { tenantId, keyId }: { readonly tenantId: string; readonly keyId: string },
    code: KeyCode,
    nowMs: number,
    keep: (work: Promise<unknown>) => void,
  ): void {
    const day = Math.floor(nowMs / DAY_MS);
    this.#add(tenantId, { keyId, day, code, count: 1, lastMs: nowMs });
    if (this.#telling !== undefined && nowMs - this.#telling < OVERDUE_MS) return;
    this.#telling = nowMs;
    keep(this.#later());
  }

  /** Tell all that is counted now. Rejects when a gate could not be told; its counts are kept. */
  async flush(): Promise<void> {
    this.#telling = undefined;
    const counts = this.#counts;
    this.#counts = new Map();
    await Promise.all([...counts].map(([tenantId, uses]) => this.#pass(tenantId, uses)));
  }

  async #later(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, TELL_AFTER_MS));
    try {
      await this.flush();
    } catch (error) {
      console.warn(
        JSON.stringify({ level: "warn", event: "key_uses.kept", detail: String(error) }),
      );
    }
  }

  async #pass(tenantId: string, counts: ReadonlyMap<string, Count>): Promise<void> {
    const told = [...counts.values()];
    try {
      await this.#tell(tenantId, told.map(toUse));
    } catch (error) {
      for (const count of told) this.#add(tenantId, count);
      throw error;
    }
  }

  #add(tenantId: string, more: Count): void {
    let counts = this.#counts.get(tenantId);
    if (counts === undefined) {
      counts = new Map();
      this.#counts.set(tenantId, counts);
    }
    const name = `${more.keyId} ${more.code} ${more.day}`;
    const known = counts.get(name);
    if (known === undefined) {
      counts.set(name, more);
      return;
    }
    known.count += more.count;
    known.lastMs = Math.max(known.lastMs, more.lastMs);
  }
}

function toUse({ keyId, day, code, count, lastMs }: Count): KeyUse {
  return { keyId, day: new Date(day * DAY_MS).toISOString().slice(0, 10), code, count, lastMs };
}
