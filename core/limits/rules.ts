/** Which limits, budgets and stops an invocation is held to. Pure: the object owns rows and clock. */
import { type Aim, type BudgetRule, EACH, type Rules, type StopRule } from "./contract.ts";
import { type Window, windowOf } from "./windows.ts";

/** Who asks what for whom. */
export type Who = {
  readonly tenantId: string;
  readonly agentId: string;
  readonly projectId: string;
  /** The id an invocation is made under. */
  readonly principal: string;
  readonly userId: string;
};

/** Something of which there is so much in a period, and which is leased from the tenant's gate. */
export type Allowance = {
  /** The rule's id, and the subject behind a slash where each has its own. */
  readonly id: string;
  readonly kind: "rate" | "concurrency" | "money";
  readonly cap: number;
  /** Of the rule: a later one's cap replaces an earlier one's. */
  readonly revision: number;
  readonly window: Window;
  readonly warnAtPct: readonly number[];
  readonly rule: string;
  /** In words, for a refusal. */
  readonly about: string;
  readonly exhausted: "fail" | "wait";
};

/**
 * Whom an invocation is made for. A person's own credential speaks for that person alone, whatever
 * the metadata says.
 */
export function userOf(principal: string, metadata: Readonly<Record<string, string>>): string {
  if (principal.startsWith("usr_")) return principal;
  const named = metadata["user_id"];
  return named === undefined || named === "" ? principal : named;
}

/** Everything that is counted by invocations, or paid from; without budgets of one invocation. */
export function allowancesOf(rules: Rules, who: Who, nowMs: number): readonly Allowance[] {
  const rates = matching(rules.limits, who).map(
    ([{ id: rule, revision, per, limit, level }, id]): Allowance => ({
      id,
      rule,
      kind: per === "concurrency" ? "concurrency" : "rate",
      cap: limit,
      revision,
      window: windowOf(per, nowMs),
      warnAtPct: [],
      about: per === "concurrency" ? `${level}, at once` : `${level}, per ${per}`,
      exhausted: "fail",
    }),
  );
  return [...rates, ...budgetsOf(rules, who, nowMs)];
}

/** Those of them that money is taken from. */
export function budgetsOf(rules: Rules, who: Who, nowMs: number): readonly Allowance[] {
  const lasting = rules.budgets.filter(({ period }) => period !== "invocation");
  return matching(lasting, who).map(([budget, id]) => {
    const { id: rule, revision, period, amountMicros: cap, warnAtPct, exhausted, level } = budget;
    const window = windowOf(period, nowMs);
    const about = period === "total" ? `${level}, in total` : `${level}, per ${period}`;
    return { id, rule, kind: "money", cap, revision, window, warnAtPct, about, exhausted };
  });
}

/** The lowest budget of one invocation that it is held to. */
export function invocationBudget(rules: Rules, who: Who): BudgetRule | undefined {
  return matching(rules.budgets, who)
    .map(([rule]) => rule)
    .filter(({ period }) => period === "invocation")
    .toSorted((a, b) => a.amountMicros - b.amountMicros)[0];
}

/** The stop that holds the invocation, if one does. */
export function stopOf(rules: Rules, who: Who): StopRule | undefined {
  return matching(rules.stops, who)[0]?.[0];
}

/** The rules about `who`, each with the name of what it counts. */
function matching<R extends Aim & { readonly id: string }>(
  rules: readonly R[],
  who: Who,
): readonly (readonly [R, string])[] {
  return rules.flatMap((rule): (readonly [R, string])[] => {
    const subject = subjectOf(rule.level, who);
    if (subject === undefined) return [];
    if (rule.subject === EACH) return [[rule, `${rule.id}/${subject}`]];
    return rule.subject === null || rule.subject === subject ? [[rule, rule.id]] : [];
  });
}

function subjectOf(level: Aim["level"], who: Who): string | undefined {
  if (level === "tenant") return who.tenantId;
  if (level === "project") return who.projectId;
  if (level === "agent") return who.agentId;
  if (level === "user") return who.userId;
  return who.principal.startsWith("key_") ? who.principal : undefined;
}
