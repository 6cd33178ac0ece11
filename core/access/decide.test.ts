import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Principal, type Scope, TENANT_SCOPES } from "../principals/contract.ts";
import { beyond } from "../principals/beyond.ts";
import type { Conditions, Grant } from "../principals/grants.ts";
import type { Facts } from "./conditions.ts";
import { decide, mayKnow, type Question } from "./decide.ts";
import { accessFrom } from "./effective.ts";
import { Conditions as ConditionsWire } from "./contract.ts";

const ME = "usr_me";
const FRIDAY_NOON = Date.UTC(2026, 10, 20, 12);
const SCOPE: Scope = "agents:invoke";

const name = fc.constantFrom("a", "b", "c");
const some = fc.uniqueArray(name, { minLength: 1, maxLength: 3 });
const maybe = <T>(it: fc.Arbitrary<T>) => fc.option(it, { nil: undefined });

const demand = fc.record(
  {
    pointer: fc.constantFrom("/input", "/metadata/sum", "/metadata/a~1b"),
    equals: maybe(fc.constantFrom("a", 1, true, null)),
    prefix: maybe(name),
    min: maybe(fc.integer({ min: 0, max: 5 })),
    max: maybe(fc.integer({ min: 0, max: 5 })),
  },
  { requiredKeys: ["pointer"] },
);

const conditions: fc.Arbitrary<Conditions> = fc.record(
  {
    tenants: maybe(some),
    projects: maybe(some),
    environments: maybe(some),
    agents: maybe(some),
    owners: maybe(fc.uniqueArray(fc.constantFrom("self", "a", "b"), { minLength: 1 })),
    tags: maybe(fc.record({ any: maybe(some), all: maybe(some), none: maybe(some) })),
    time: maybe(
      fc.record({
        days: maybe(fc.constantFrom(["fri"] as const, ["mon", "tue"] as const)),
        from: fc.constantFrom("09:00", "22:00"),
        to: fc.constantFrom("08:00", "17:00"),
        zone: maybe(fc.constantFrom("UTC", "Asia/Kolkata", "America/New_York")),
      }),
    ),
    arguments: maybe(fc.array(demand, { minLength: 1, maxLength: 2 })),
  },
  { requiredKeys: [] },
);

const grant: fc.Arbitrary<Grant> = fc
  .record({
    effect: fc.constantFrom("allow" as const, "deny" as const),
    scopes: fc.constantFrom<readonly Scope[]>([SCOPE], ["agents:read"], [SCOPE, "agents:read"]),
    when: maybe(conditions),
  })
  .map(({ effect, scopes, when }) => {
    const of = { effect, scopes, role: "r", statement: 0, assignment: null };
    return when === undefined ? of : Object.assign(of, { when });
  });

const facts: fc.Arbitrary<Facts> = fc.record(
  {
    tenantId: maybe(name),
    projectId: maybe(name),
    environment: maybe(name),
    agentId: maybe(name),
    tags: maybe(fc.uniqueArray(name)),
    ownerId: maybe(fc.constantFrom("a", ME, null)),
  },
  { requiredKeys: [] },
);

const body = maybe(
  fc.record(
    {
      input: fc.constantFrom("a", "bc", 3),
      metadata: fc.record(
        { sum: fc.constantFrom("1", "9", "many", 2), "a/b": fc.constantFrom("a", "1") },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  ),
);

const moment = maybe(
  fc.integer({ min: 0, max: 14 * 24 }).map((hours) => FRIDAY_NOON + hours * 3_600_000),
);

const grants = fc.array(grant, { maxLength: 6 });
const setting = fc.record({ resource: facts, arguments: body, nowMs: moment });
type Setting = Pick<Question, "resource" | "arguments" | "nowMs">;

function user(statements: readonly Grant[], part: Partial<Principal> = {}): Principal {
  return { kind: "user", id: ME, tenantId: "t", scopes: [SCOPE], grants: statements, ...part };
}

function allowed(statements: readonly Grant[], setting_: Setting): boolean {
  return decide({ principal: user(statements), scope: SCOPE, ...setting_ }).allowed;
}

const always = (effect: Grant["effect"], when?: Conditions): Grant => ({
  effect,
  scopes: [SCOPE],
  role: "r",
  statement: 0,
  assignment: null,
  ...(when === undefined ? {} : { when }),
});

describe("F39, F44: decide", () => {
  it("allows nothing that no statement allows", () => {
    fc.assert(
      fc.property(fc.array(grant), setting, (statements, at) => {
        const denials = statements.map((it) => ({ ...it, effect: "deny" as const }));
        expect(allowed(denials, at)).toBe(false);
        expect(allowed([], at)).toBe(false);
      }),
    );
  });

  it("lets one denying statement win over any number that allow", () => {
    fc.assert(
      fc.property(grants, setting, (statements, at) => {
        const all = [...statements, always("allow"), always("deny"), ...statements];
        const decision = decide({ principal: user(all), scope: SCOPE, ...at });
        expect(decision).toMatchObject({ allowed: false, reason: "denied" });
        expect(decision.by?.effect).toBe("deny");
      }),
    );
  });

  it("decides the same in whatever order the statements stand", () => {
    fc.assert(
      fc.property(grants, setting, fc.infiniteStream(fc.nat()), (statements, at, chance) => {
        const shuffled = statements
          .map((it) => [chance.next().value, it] as const)
          .toSorted(([a], [b]) => a - b)
          .map(([, it]) => it);
        expect(allowed(shuffled, at)).toBe(allowed(statements, at));
      }),
    );
  });

  it("never takes anything away by allowing more, nor gives by denying more", () => {
    fc.assert(
      fc.property(grants, grant, setting, (statements, one, at) => {
        const before = allowed(statements, at);
        const after = allowed([...statements, one], at);
        expect(one.effect === "allow" ? after || !before : before || !after).toBe(true);
      }),
    );
  });

  it("allows nothing more for knowing less: what is unknown excuses nobody", () => {
    fc.assert(
      fc.property(grants, setting, fc.infiniteStream(fc.boolean()), (statements, at, coin) => {
        const kept = Object.entries(at.resource).filter(() => coin.next().value);
        const less = {
          resource: Object.fromEntries(kept),
          arguments: coin.next().value ? at.arguments : undefined,
          nowMs: coin.next().value ? at.nowMs : undefined,
        };
        expect(allowed(statements, at) || !allowed(statements, less)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("with nothing known, satisfies no condition of an allow and every one of a deny", () => {
    fc.assert(
      fc.property(conditions, (when) => {
        fc.pre(Object.values(when).some((it) => it !== undefined));
        const unknown = { resource: {} };
        expect(allowed([always("allow", when)], unknown)).toBe(false);
        expect(allowed([always("allow"), always("deny", when)], unknown)).toBe(false);
      }),
    );
  });

  it("holds statements within the credential's own scopes and narrowing", () => {
    fc.assert(
      fc.property(grants, setting, (statements, at) => {
        const principal = user([...statements, always("allow")]);
        const scopeless = decide({ principal: { ...principal, scopes: [] }, scope: SCOPE, ...at });
        expect(scopeless.allowed).toBe(false);
        const narrowed = { ...principal, agentId: "elsewhere" };
        expect(decide({ principal: narrowed, scope: SCOPE, ...at }).allowed).toBe(false);
        expect(mayKnow({ principal: narrowed, scope: SCOPE, ...at })).toBe(false);
      }),
    );
  });

  it("lets scopes alone say all for a credential without statements", () => {
    const key: Principal = { kind: "key", id: "k", tenantId: "t", scopes: [SCOPE] };
    expect(decide({ principal: key, scope: SCOPE, resource: {} }).allowed).toBe(true);
    expect(decide({ principal: key, scope: "agents:read", resource: {} }).allowed).toBe(false);
    const inB = { ...key, projectId: "b" };
    const at = (projectId: string) =>
      decide({ principal: inB, scope: SCOPE, resource: { projectId } });
    expect([at("a").reason, at("b").reason]).toEqual(["narrowed", "allowed"]);
  });
});

describe("F40: conditions", () => {
  const at = (when: Conditions, part: Partial<Setting>) =>
    allowed([always("allow", when)], { resource: {}, ...part });

  it.each<[string, Conditions, Partial<Setting>, Partial<Setting>]>([
    [
      "tenants",
      { tenants: ["t"] },
      { resource: { tenantId: "t" } },
      { resource: { tenantId: "u" } },
    ],
    ["owner", { owners: ["self"] }, { resource: { ownerId: ME } }, { resource: { ownerId: null } }],
    [
      "tags",
      { tags: { any: ["a"] } },
      { resource: { tags: ["a", "b"] } },
      { resource: { tags: [] } },
    ],
    [
      "no tags",
      { tags: { none: ["a"] } },
      { resource: { tags: [] } },
      { resource: { tags: ["a"] } },
    ],
    [
      "numbers in text",
      { arguments: [{ pointer: "/metadata/sum", max: 100 }] },
      { arguments: { metadata: { sum: "99.5" } } },
      { arguments: { metadata: { sum: "100.01" } } },
    ],
    [
      "numbers that are none",
      { arguments: [{ pointer: "/metadata/sum", max: 100 }] },
      { arguments: { metadata: { sum: "1" } } },
      { arguments: { metadata: { sum: "1e1" } } },
    ],
    [
      "places in lists",
      { arguments: [{ pointer: "/input/0/content", prefix: "Hi" }] },
      { arguments: { input: [{ content: "Hi there" }] } },
      { arguments: { input: "Hi there" } },
    ],
    [
      "values of several",
      { arguments: [{ pointer: "/a~1b", in: ["x", null] }] },
      { arguments: { "a/b": null } },
      { arguments: { "a/b": 0 } },
    ],
  ])("by %s", (_name, when, yes, no) => {
    expect([at(when, yes), at(when, no)]).toEqual([true, false]);
  });

  it("never finds what a body inherits", () => {
    const when = { arguments: [{ pointer: "/constructor/name", equals: "Object" }] };
    expect(at(when, { arguments: {} })).toBe(false);
  });

  it.each([
    ["2026-11-20T12:00:00Z", { days: ["fri"], from: "09:00", to: "17:00" }, true],
    ["2026-11-20T17:00:00Z", { days: ["fri"], from: "09:00", to: "17:00" }, false],
    ["2026-11-20T16:30:00Z", { from: "09:00", to: "17:00", zone: "Europe/Berlin" }, false],
    // Berlin springs forward at 01:00Z on 28 March 2027: 07:30Z is 09:30 there, not 08:30.
    ["2027-03-28T07:30:00Z", { from: "09:00", to: "17:00", zone: "Europe/Berlin" }, true],
    ["2027-03-27T07:30:00Z", { from: "09:00", to: "17:00", zone: "Europe/Berlin" }, false],
    // A night that began on Friday ends on Saturday morning.
    ["2026-11-21T03:00:00Z", { days: ["fri"], from: "22:00", to: "06:00" }, true],
    ["2026-11-20T03:00:00Z", { days: ["fri"], from: "22:00", to: "06:00" }, false],
    ["2026-11-20T00:00:00Z", { not_before: "2026-11-20T00:00:00Z" }, true],
    ["2026-11-20T00:00:00Z", { not_after: "2026-11-20T00:00:00Z" }, false],
  ] as const)("by time: %s in %o is %s", (time, window, inside) => {
    expect(at({ time: window }, { nowMs: Date.parse(time) })).toBe(inside);
  });

  it("refuse zones, windows and demands that mean nothing", () => {
    for (const when of [
      {},
      { time: {} },
      { time: { zone: "Mars/Olympus" } },
      { time: { from: "09:00" } },
      { time: { from: "09:00", to: "09:00" } },
      { time: { from: "24:00", to: "09:00" } },
      { arguments: [{ pointer: "/a" }] },
      { arguments: [{ pointer: "a", equals: 1 }] },
      { arguments: [{ pointer: "/~2", equals: 1 }] },
      { tags: {} },
      { owners: ["me"] },
      { environments: [] },
      { colour: ["red"] },
    ]) {
      expect([when, ConditionsWire.safeParse(when).success]).toEqual([when, false]);
    }
  });
});

describe("F26: nobody gives more than they hold", () => {
  it("what may be given never allows where the giver is not", () => {
    const kept = fc.infiniteStream(fc.boolean());
    const more = fc.array(grant, { maxLength: 2 });
    fc.assert(
      fc.property(conditions, kept, more, setting, (when, coin, own, at) => {
        const wider = Object.fromEntries(Object.entries(when).filter(() => coin.next().value));
        const giver = user([...own, always("allow", wider)]);
        if (beyond(giver, [SCOPE], when).length > 0) return;
        const receiver = { ...user([always("allow", when)]), id: "usr_other" };
        const of = (principal: Principal) => decide({ principal, scope: SCOPE, ...at }).allowed;
        expect(of(giver) || !of(receiver)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it("whoever holds a thing under a condition may give it under that condition, or a closer one", () => {
    const giver = user([always("allow", { environments: ["dev", "staging"] })]);
    expect(beyond(giver, [SCOPE], { environments: ["dev"] })).toEqual([]);
    expect(beyond(giver, [SCOPE], { environments: ["dev", "prod"] })).toEqual([SCOPE]);
    expect(beyond(giver, [SCOPE])).toEqual([SCOPE]);
  });

  it("the narrowing of a key bounds what it gives", () => {
    const key: Principal = {
      kind: "key",
      id: "k",
      tenantId: "t",
      scopes: [SCOPE],
      environment: "dev",
    };
    expect(beyond(key, [SCOPE], { environments: ["dev"] })).toEqual([]);
    expect(beyond(key, [SCOPE])).toEqual([SCOPE]);
  });
});

describe("F26: what roles come to", () => {
  const allow = (...scopes: string[]) => ({ effect: "allow" as const, scopes });

  it("adds roles up, and an unconditional deny takes the scope away altogether", () => {
    const admin = { role: "admin", statements: [allow("*")], assignment: null };
    expect(accessFrom([admin]).scopes).toEqual(TENANT_SCOPES);
    const deny = { effect: "deny" as const, scopes: ["agents:*"] };
    const banned = { role: "banned", statements: [deny], assignment: "asg_1" };
    const { scopes } = accessFrom([admin, banned]);
    expect(scopes.filter((scope) => scope.startsWith("agents:"))).toEqual([]);
    expect(scopes).toContain("deployments:write");
  });

  it("makes the assignment's place and end conditions of each statement", () => {
    const held = {
      role: "r",
      statements: [allow("agents:invoke", "agents:read")],
      assignment: "asg_1",
      projectId: "p",
      environment: "dev",
      agentId: null,
      expiresAtMs: FRIDAY_NOON,
    };
    const { grants: made } = accessFrom([held]);
    const time = { not_after: "2026-11-20T12:00:00.000Z" };
    expect(made).toMatchObject([
      { scopes: ["agents:invoke"], when: { projects: ["p"], environments: ["dev"], time } },
      { scopes: ["agents:read"], when: { projects: ["p"], time } },
    ]);
    const principal = user(made);
    const resource = { projectId: "p", environment: "dev" };
    const at = (nowMs: number) => decide({ principal, scope: SCOPE, resource, nowMs }).allowed;
    expect([at(FRIDAY_NOON - 1), at(FRIDAY_NOON)]).toEqual([true, false]);
  });

  it("lets a narrowing outside of the statement's own list meet nothing", () => {
    const statement = { ...allow("agents:invoke"), when: { environments: ["dev"] } };
    const held = { role: "r", statements: [statement], assignment: "asg_1", environment: "prod" };
    const principal = user(accessFrom([held]).grants);
    for (const environment of ["dev", "prod"]) {
      expect(decide({ principal, scope: SCOPE, resource: { environment } }).allowed).toBe(false);
    }
  });
});
