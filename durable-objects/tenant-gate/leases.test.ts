/** The gate's book of leases, with holders that lose messages. */
import { reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { type Account, type Asked, type Grant, type Want } from "./contract-leases.ts";
import type { ObjectRow } from "../agent-runtime/contract.ts";
import { gateName } from "./contract.ts";
import { askHolder } from "./holders.ts";
import { type AskHolder, LeaseBook } from "./leases.ts";
import { gateStub } from "./stub.ts";

const NOW = 1_790_000_000_000;
const NAME = { id: "bud_1", sinceMs: 0 };

/** A holder as far as the gate can tell: four numbers, and a network that may fail it. */
class Holder {
  granted = 0;
  returned = 0;
  used = 0;
  held = 0;

  get free(): number {
    return this.granted - this.returned - this.used - this.held;
  }
  account(): Account {
    const { granted, returned, used, held } = this;
    return { ...NAME, granted, returned, used, held };
  }
  asked([asked]: readonly Asked[], give: boolean): readonly Account[] {
    this.granted = Math.max(this.granted, asked?.granted ?? 0);
    if (give && this.free > 0) this.returned += this.free;
    return [this.account()];
  }
  got(grant: Grant | undefined): void {
    this.granted = Math.max(this.granted, grant?.granted ?? 0);
  }
}

const want = (holder: Holder, need: number, part: Partial<Want> = {}): Want => ({
  rule: "bud_1",
  kind: "money",
  cap: 100,
  revision: 1,
  endsMs: null,
  warnAtPct: [],
  ...holder.account(),
  ...part,
  need,
});

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

function inBook<T>(ask: AskHolder, work: (book: LeaseBook) => Promise<T>): Promise<T> {
  const stub = env.TENANT_GATE.getByName(gateName("ten_leases"));
  return runInDurableObject(stub, (_gate, { storage }) => work(new LeaseBook(storage, ask)));
}

beforeEach(async () => {
  await reset();
});

describe("leases", () => {
  it.each([1, 2, 3, 4, 5])(
    "K5: never sum to more than the cap, whatever is lost, doubled or late (seed %i)",
    async (seed) => {
      const chance = random(seed);
      const holders = new Map(["a", "b", "c", "d"].map((name) => [name, new Holder()]));
      const lost = () => chance() < 0.3;
      const late: (() => void)[] = [];
      const ask: AskHolder = async (name, asked, give) => {
        const answer = lost() ? undefined : holders.get(name)?.asked(asked, give);
        return lost() ? undefined : answer; // the answer may be lost as well
      };
      await inBook(ask, async (book) => {
        for (let n = 0; n < 400; n += 1) {
          const [name, holder] = [...holders][Math.floor(chance() * 4)] ?? none();
          const need = 1 + Math.floor(chance() * 9);
          if (chance() < 0.2) book.report(name, [holder.account()], NOW);
          if (holder.free < need && !lost()) {
            const [grant] = await book.lease(name, [want(holder, need - holder.free)], NOW);
            if (lost()) late.push(() => holder.got(grant)); // comes when others came meanwhile
            else holder.got(grant);
          }
          if (late.length > 0 && chance() < 0.3) late.shift()?.();
          if (holder.free >= need) holder.held += need;
          if (chance() < 0.6 && holder.held > 0) {
            const spent = Math.floor(chance() * 3);
            holder.used += Math.min(spent, holder.held);
            holder.held = 0;
          }
          const out = [...holders.values()].reduce((sum, it) => sum + it.used + it.held, 0);
          expect(out).toBeLessThanOrEqual(100);
        }
      });
    },
  );

  it("K5: once messages arrive, every unit is had: nothing is kept for good", async () => {
    const holders = new Map(["a", "b"].map((name) => [name, new Holder()]));
    const { a = none(), b = none() } = Object.fromEntries(holders);
    const ask: AskHolder = async (name, asked, give) => holders.get(name)?.asked(asked, give);
    await inBook(ask, async (book) => {
      await book.lease("a", [want(a, 60)], NOW); // the answer is lost
      const [grant] = await book.lease("b", [want(b, 100)], NOW);
      b.got(grant);
      expect(b.free).toBe(100);
      expect(a.free).toBe(0);
    });
  });

  it("B1: what was used beyond the part of a holder counts, and nothing more is given", async () => {
    const a = new Holder();
    await inBook(
      async () => undefined,
      async (book) => {
        const [grant] = await book.lease("a", [want(a, 90)], NOW);
        a.got(grant);
        a.used = 130; // an estimate that was too low
        book.report("a", [a.account()], NOW);
        const [next] = await book.lease("b", [want(new Holder(), 1)], NOW);
        expect(next).toMatchObject({ short: true, granted: 0 });
        expect(await book.used("bud_1", { limit: 10 }, NOW)).toMatchObject([
          { used: 130, cap: 100 },
        ]);
      },
    );
  });

  it("B2: of a holder that is no more places come back, and money does not", async () => {
    await inBook(
      async () => "gone",
      async (book) => {
        const places = { kind: "concurrency", rule: "lim_1", id: "lim_1", cap: 2 } as const;
        await book.lease("a", [want(new Holder(), 2, places), want(new Holder(), 100)], NOW);
        const [place, money] = await book.lease(
          "b",
          [want(new Holder(), 2, places), want(new Holder(), 1)],
          NOW,
        );
        expect(place).toMatchObject({ granted: 2, short: false });
        expect(money).toMatchObject({ granted: 0, short: true });
      },
    );
  });

  it.each(['["ten_other","agt_1","prod",0]', "[]", "no JSON"])(
    "G7: what a file says holds a part of it is not asked unless it is the tenant's own: %s",
    async (holder) => {
      const asked = askHolder(env, () => "ten_leases");
      expect(await asked(holder, [{ ...NAME, granted: 1_000_000 }], true)).toBe("gone");
    },
  );

  it("G7: rows of leases that are not the tenant's own, or cannot be read, are not taken in", async () => {
    const gate = gateStub(env, "ten_leases");
    const lease = { id: "bud_1", since_ms: 0, granted: 5, returned: 0, used: 1, held: 0 };
    const own = { ...lease, holder: '["ten_leases","agt_1","prod",0]' };
    const allowance = {
      id: "bud_1",
      since_ms: 0,
      rule: "bud_1",
      kind: "money",
      cap: 9,
      revision: 1,
      ends_ms: null,
      warn: "[80,100]",
      used: 1,
      out: 5,
    };
    const bring = async (table: string, row: ObjectRow["row"]) =>
      (await gate.importPage("ten_leases", "xfr_1", [{ table, row }])).ok;
    expect(await bring("lease", { ...lease, holder: '["ten_other","agt_1","prod",0]' })).toBe(
      false,
    );
    expect(await bring("lease", { ...own, granted: -1 })).toBe(false);
    expect(await bring("allowance", { ...allowance, warn: '{"a":1}' })).toBe(false);
    expect(await bring("allowance", { ...allowance, kind: "gift" })).toBe(false);
    expect(await bring("lease", own)).toBe(true);
    expect(await bring("allowance", allowance)).toBe(true);
  });

  it("a holder that does not answer keeps what it has and is not waited for", async () => {
    const never: AskHolder = () => new Promise(() => undefined);
    await inBook(never, async (book) => {
      await book.lease("a", [want(new Holder(), 100)], NOW);
      const [grant] = await book.lease("b", [want(new Holder(), 1)], NOW);
      expect(grant).toMatchObject({ short: true, left: 0 });
    });
  });
});

function none(): never {
  throw new Error("no such holder");
}
