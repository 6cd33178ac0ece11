/**
 * Does a statement's condition hold for what a request is about?
 *
 * Three answers, because a request may not have what is asked for: a key is in no environment, a
 * chat socket has no arguments yet. What is unknown meets nothing and rules nothing out; what
 * follows from that is for core/access/decide.ts.
 */
import { canonical } from "../json/canonical.ts";
import type { ArgumentDemand, Conditions, Plain } from "../principals/grants.ts";
import { within } from "./time-window.ts";

/** What is known of a resource; left out is not known, or not a thing it has. */
export type Facts = {
  readonly tenantId?: string | undefined;
  readonly projectId?: string | undefined;
  readonly environment?: string | undefined;
  readonly agentId?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  /** Null: nobody owns it. */
  readonly ownerId?: string | null | undefined;
};

/** A request as conditions see it. */
export type Situation = {
  /** Whom `self` means. */
  readonly principalId: string;
  readonly resource: Facts;
  /** The body of an invocation; left out where there is none. */
  readonly arguments?: unknown;
  /** Epoch ms; left out for "at any time". */
  readonly nowMs?: number | undefined;
};

export type Verdict = "met" | "unmet" | "unknown";

export type ConditionName = keyof Conditions;

/** Each condition by itself. */
export function weighed(
  when: Conditions,
  situation: Situation,
): readonly (readonly [ConditionName, Verdict])[] {
  const { resource, principalId, nowMs } = situation;
  const owners = when.owners?.map((owner) => (owner === "self" ? principalId : owner));
  const verdicts: readonly (readonly [ConditionName, Verdict | undefined])[] = [
    ["tenants", among(when.tenants, resource.tenantId)],
    ["projects", among(when.projects, resource.projectId)],
    ["environments", among(when.environments, resource.environment)],
    ["agents", among(when.agents, resource.agentId)],
    ["owners", among(owners, resource.ownerId)],
    ["tags", when.tags && tagged(when.tags, resource.tags)],
    ["time", when.time && (nowMs === undefined ? "unknown" : told(within(when.time, nowMs)))],
    ["arguments", when.arguments && together(demands(when.arguments, situation.arguments))],
  ];
  return verdicts.flatMap(([name, verdict]) =>
    verdict === undefined ? [] : [[name, verdict] as const],
  );
}

/** All of them together: one that is not met decides, then one that is unknown. */
export function together(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes("unmet")) return "unmet";
  return verdicts.includes("unknown") ? "unknown" : "met";
}

function told(holds: boolean): Verdict {
  return holds ? "met" : "unmet";
}

function among(
  listed: readonly string[] | undefined,
  fact: string | null | undefined,
): Verdict | undefined {
  if (listed === undefined) return undefined;
  if (fact === undefined) return "unknown";
  return told(fact !== null && listed.includes(fact));
}

function tagged(
  { any, all, none }: NonNullable<Conditions["tags"]>,
  tags: readonly string[] | undefined,
): Verdict {
  if (tags === undefined) return "unknown";
  const has = (tag: string) => tags.includes(tag);
  return told((any?.some(has) ?? true) && (all?.every(has) ?? true) && !(none?.some(has) ?? false));
}

function demands(list: readonly ArgumentDemand[], body: unknown): readonly Verdict[] {
  return list.map((demand) => {
    const value = body === undefined ? undefined : at(body, demand.pointer);
    return value === undefined ? "unknown" : demanded(demand, value);
  });
}

/** A number is asked of numbers and of texts that are one; of anything else nothing is known. */
function demanded(demand: ArgumentDemand, value: unknown): Verdict {
  const { equals, in: listed, prefix, min, max } = demand;
  const verdicts: Verdict[] = [];
  if (equals !== undefined) verdicts.push(told(same(value, equals)));
  if (listed !== undefined) verdicts.push(told(listed.some((one) => same(value, one))));
  if (prefix !== undefined) {
    verdicts.push(typeof value === "string" ? told(value.startsWith(prefix)) : "unknown");
  }
  if (min !== undefined || max !== undefined) {
    const number = numberOf(value);
    const inside = (n: number) => n >= (min ?? -Infinity) && n <= (max ?? Infinity);
    verdicts.push(number === undefined ? "unknown" : told(inside(number)));
  }
  return together(verdicts);
}

function same(value: unknown, plain: Plain): boolean {
  return canonical(value) === canonical(plain);
}

const DECIMAL = /^-?\d{1,15}(?:\.\d{1,15})?$/;

function numberOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return typeof value === "string" && DECIMAL.test(value) ? Number(value) : undefined;
}

/** @source RFC 6901 §4. Undefined when there is nothing at that place. */
function at(body: unknown, pointer: string): unknown {
  let here: unknown = body;
  for (const part of pointer.split("/").slice(1)) {
    if (typeof here !== "object" || here === null) return undefined;
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (!Object.hasOwn(here, name)) return undefined;
    here = Reflect.get(here, name);
  }
  return here;
}
