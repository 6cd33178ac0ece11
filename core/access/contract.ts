import { z } from "zod";
import { Tag } from "../agents/contract.ts";
import { IdOrSlug, Name, Description, Slug } from "../names.ts";
import { PageQuery } from "../page.ts";
import { type Scope, SCOPES, TENANT_SCOPES } from "../principals/contract.ts";
import type { Grant, Plain } from "../principals/grants.ts";
import { canonicalScope } from "./scopes.ts";
import { knownZone } from "./time-window.ts";

/** What a principal's roles come to. */
export type Access = {
  /** What it could hold at all: some statement allows it, none denies it without condition. */
  readonly scopes: readonly Scope[];
  /** Every statement in effect, conditions of its assignment included. For `Principal.grants`. */
  readonly grants: readonly Grant[];
};

/** Roles that every tenant has; they are code and cannot be changed. */
export const BUILT_IN_ROLES = [
  "admin",
  "developer",
  "operator",
  "viewer",
  "auditor",
  "invoker",
] as const;
export type BuiltInRole = (typeof BUILT_IN_ROLES)[number];

/** `*`, `noun:*`, a scope, or S2's name of one; read as its canonical form. */
const StatementScope = z
  .string()
  .max(80)
  .transform((text, context) => {
    const scope = canonicalScope(text);
    if (scope !== undefined) return scope;
    context.issues.push({ code: "custom", message: "no scope of a tenant", input: text });
    return z.NEVER;
  });

const few = <T extends z.ZodType>(item: T) => z.array(item).min(1).max(50);
const Id = z.string().regex(/^[a-z]{3}_[0-9a-z]{26}$/, "expected an id");
const Clock = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, "expected HH:MM");

const TimeWindow = z
  .strictObject({
    days: few(z.enum(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])).optional(),
    from: Clock.optional(),
    to: Clock.optional(),
    zone: z.string().max(64).refine(knownZone, "expected an IANA time zone").optional(),
    not_before: z.iso.datetime({ offset: true }).optional(),
    not_after: z.iso.datetime({ offset: true }).optional(),
  })
  .refine(({ from, to }) => (from === undefined) === (to === undefined), "from and to go together")
  .refine(({ from, to }) => from === undefined || from !== to, "from and to are the same")
  .refine((time) => Object.keys(time).some((name) => name !== "zone"), "an empty window");

const Value: z.ZodType<Plain> = z.union([z.string().max(1000), z.number(), z.boolean(), z.null()]);

const ArgumentDemand = z
  .strictObject({
    pointer: z
      .string()
      .max(500)
      .regex(/^(?:\/(?:[^~/]|~[01])*)+$/, "expected a JSON pointer"),
    equals: Value.optional(),
    in: few(Value).optional(),
    prefix: z.string().min(1).max(1000).optional(),
    min: z.number().optional(),
    max: z.number().optional(),
  })
  .refine((demand) => Object.keys(demand).length > 1, "demands nothing");

/** As people write it: agents and projects by id or slug, kept by id. */
export const Conditions = z
  .strictObject({
    tenants: few(Id).optional(),
    projects: few(IdOrSlug).optional(),
    agents: few(IdOrSlug).optional(),
    environments: few(Slug).optional(),
    owners: few(z.union([z.literal("self"), Id])).optional(),
    tags: z
      .strictObject({
        any: few(Tag).optional(),
        all: few(Tag).optional(),
        none: few(Tag).optional(),
      })
      .refine((tags) => Object.keys(tags).length > 0, "demands nothing")
      .optional(),
    time: TimeWindow.optional(),
    arguments: z.array(ArgumentDemand).min(1).max(20).optional(),
  })
  .refine((when) => Object.keys(when).length > 0, "no condition: leave `when` out");

/** One rule: what is allowed or denied, and when. Denied wins over allowed, whatever the order. */
export const Statement = z.strictObject({
  effect: z.enum(["allow", "deny"]),
  scopes: z.array(StatementScope).min(1).max(100),
  when: Conditions.optional(),
});
export type Statement = z.infer<typeof Statement>;

export const Role = z.object({
  /** `rol_…`, or the slug of a built-in one. */
  id: z.string(),
  slug: z.string(),
  name: z.string(),
  description: z.string(),
  built_in: z.boolean(),
  statements: z.array(Statement),
  /** 0 for a built-in one, which never changes. */
  revision: z.number().int(),
  created_at: z.string().nullable(),
  updated_at: z.string().nullable(),
});
export type Role = z.infer<typeof Role>;

const Statements = z.array(Statement).min(1).max(50);

/** Body of `POST /v1/roles`. */
export const CreateRole = z.strictObject({
  slug: Slug,
  name: Name,
  description: Description.default(""),
  statements: Statements,
});
export type CreateRole = z.infer<typeof CreateRole>;

/** Body of `PATCH /v1/roles/{id}`: at least one field. The slug stays. */
export const RolePatch = z
  .strictObject({
    name: Name.optional(),
    description: Description.optional(),
    statements: Statements.optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, "nothing to change");
export type RolePatch = z.infer<typeof RolePatch>;

/** Who can be assigned a role. */
export const AssigneeKind = z.enum(["user", "app_client"]);
export type AssigneeKind = z.infer<typeof AssigneeKind>;

export const Assignment = z.object({
  id: z.string(),
  principal_kind: AssigneeKind,
  principal_id: z.string(),
  /** Slug of a role, built in or the tenant's own. */
  role: z.string(),
  /** Narrowing; null means any. */
  project_id: z.string().nullable(),
  environment: z.string().nullable(),
  agent_id: z.string().nullable(),
  expires_at: z.string().nullable(),
  created_by: z.string(),
  created_at: z.string(),
});
export type Assignment = z.infer<typeof Assignment>;

/** Body of `POST /v1/assignments`. `principal` is a user's or an app client's id. */
export const CreateAssignment = z.strictObject({
  principal: z.string().regex(/^(?:usr|cli)_[0-9a-z]{26}$/, "expected a user's or a client's id"),
  role: IdOrSlug,
  project: IdOrSlug.optional(),
  environment: Slug.optional(),
  agent: IdOrSlug.optional(),
  expires_at: z.iso.datetime({ offset: true }).optional(),
});
export type CreateAssignment = z.infer<typeof CreateAssignment>;

export const AssignmentListQuery = PageQuery.extend({
  principal: z.string().max(80).optional(),
  role: IdOrSlug.optional(),
});
export type AssignmentListQuery = z.infer<typeof AssignmentListQuery>;

/** A scope in words. */
export const Permission = z.object({ scope: z.enum(SCOPES), description: z.string() });
export type Permission = z.infer<typeof Permission>;

const Scopes = z.enum(SCOPES);

/** A statement as it stands for a principal, with what its assignment adds to its conditions. */
const Standing = z.object({
  effect: z.enum(["allow", "deny"]),
  role: z.string(),
  /** Place among the role's statements. */
  statement: z.number().int(),
  /** Null when the role is the membership's own. */
  assignment_id: z.string().nullable(),
  when: z.record(z.string(), z.unknown()).nullable(),
});

/** Answer of `GET /v1/access/explain`. */
export const Explanation = z.object({
  principal: z.object({ kind: z.string(), id: z.string() }),
  scope: Scopes,
  /** What is known of the resource; what is not there is not known. */
  resource: z.object({
    tenant_id: z.string(),
    project_id: z.string().optional(),
    environment: z.string().optional(),
    agent_id: z.string().optional(),
    tags: z.array(z.string()).optional(),
    owner_id: z.string().nullable().optional(),
  }),
  at: z.string(),
  allowed: z.boolean(),
  reason: z.enum(["allowed", "denied", "scope", "narrowed", "nothing_allows"]),
  /** The statement that decided; null when none did. */
  by: Standing.nullable(),
  /** Every statement that speaks of the scope, and which conditions kept it from being met. */
  statements: z.array(
    Standing.extend({
      outcome: z.enum(["met", "unmet", "unknown"]),
      because: z.array(z.string()),
    }),
  ),
});
export type Explanation = z.infer<typeof Explanation>;

/** A body to try a decision on, as JSON in the query. */
const Arguments = z
  .string()
  .max(8000)
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.issues.push({ code: "custom", message: "expected JSON", input: text });
      return z.NEVER;
    }
  });

export const ExplainQuery = z
  .strictObject({
    scope: StatementScope.pipe(z.enum(TENANT_SCOPES)),
    /** Somebody else: a user's, an app client's or a key's id. */
    principal: z.string().min(1).max(80).optional(),
    agent: IdOrSlug.optional(),
    environment: Slug.optional(),
    /** Of an agent that is not there yet. */
    project: IdOrSlug.optional(),
    owner: z.union([z.literal("self"), Id]).optional(),
    /** With commas between; empty for none. */
    tags: z
      .string()
      .max(1300)
      .transform((text) => (text === "" ? [] : text.split(",")))
      .pipe(z.array(Tag).max(20))
      .optional(),
    arguments: Arguments.optional(),
    at: z.iso.datetime({ offset: true }).optional(),
  })
  .refine(({ agent, project, owner, tags }) => !agent || !(project ?? owner ?? tags), {
    path: ["agent"],
    error: "an agent has its own project, owner and tags",
  });
export type ExplainQuery = z.infer<typeof ExplainQuery>;
