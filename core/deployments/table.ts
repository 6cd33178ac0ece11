import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { ProblemData } from "../problem.ts";
import type { DeploymentStatus } from "./contract.ts";
import type { Homes } from "./homes.ts";

/** The act of making a version live in an environment. */
export const deployment = sqliteTable(
  "deployment",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    agentId: text("agent_id").notNull(),
    versionId: text("version_id").notNull(),
    version: integer("version").notNull(),
    environment: text("environment").notNull(),
    /** Order of asking within the agent, from the agent's own counter: clocks may disagree. */
    sequence: integer("sequence").notNull(),
    status: text("status").$type<DeploymentStatus>().notNull(),
    error: text("error", { mode: "json" }).$type<ProblemData>(),
    /** Handed out when building starts; null before. */
    generation: integer("generation"),
    /** Transitions so far; the sequence number of the last event. */
    revision: integer("revision").notNull(),
    lastChangeId: text("last_change_id").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    index("deployment_agent").on(t.tenantId, t.agentId, t.id),
    index("deployment_change").on(t.tenantId, t.lastChangeId),
  ],
);

/** One row for each transition, written with it. */
export const deploymentEvent = sqliteTable(
  "deployment_event",
  {
    tenantId: text("tenant_id").notNull(),
    deploymentId: text("deployment_id").notNull(),
    seq: integer("seq").notNull(),
    status: text("status").$type<DeploymentStatus>().notNull(),
    detail: text("detail").notNull(),
    atMs: integer("at_ms").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.deploymentId, t.seq] })],
);

/** What is live where: the pointer that a deployment swaps. */
export const agentEnvironment = sqliteTable(
  "agent_environment",
  {
    tenantId: text("tenant_id").notNull(),
    agentId: text("agent_id").notNull(),
    environment: text("environment").notNull(),
    /** Null until the first deployment is live. */
    deploymentId: text("deployment_id"),
    versionId: text("version_id"),
    version: integer("version"),
    /** Of the deployment that is live; 0 before. */
    sequence: integer("sequence").notNull(),
    /** Of what is live; grows with each change of it. */
    generation: integer("generation").notNull(),
    /** Highest generation handed out: each build and each provider change has one to itself. */
    allocated: integer("allocated").notNull(),
    replicas: integer("replicas").notNull(),
    lastChangeId: text("last_change_id").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
    /** Null as long as there was never more than one replica. */
    homes: text("homes", { mode: "json" }).$type<Homes>(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.agentId, t.environment] })],
);
