import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { LetterState, LetterStatus, RedriveStatus } from "./contract.ts";

/** Invocations that ended without an answer: a projection, with what was done about them. */
export const deadLetter = sqliteTable(
  "dead_letter",
  {
    tenantId: text("tenant_id").notNull(),
    /** The invocation's. */
    id: text("id").notNull(),
    agentId: text("agent_id").notNull(),
    /** The slug at the time. */
    agent: text("agent").notNull(),
    environment: text("environment").notNull(),
    version: integer("version").notNull(),
    sessionId: text("session_id").notNull(),
    status: text("status").$type<LetterStatus>().notNull(),
    cause: text("cause").notNull(),
    detail: text("detail").notNull(),
    attempts: integer("attempts").notNull(),
    costMicros: integer("cost_micros").notNull(),
    state: text("state").$type<LetterState>().notNull(),
    /** When it was last taken to be handed on: whoever died over it holds it no longer than a minute. */
    takenAtMs: integer("taken_at_ms"),
    redrivenTo: text("redriven_to"),
    refusedCode: text("refused_code"),
    refusedDetail: text("refused_detail"),
    createdAtMs: integer("created_at_ms").notNull(),
    endedAtMs: integer("ended_at_ms").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    index("dead_letter_state").on(t.tenantId, t.state, t.id),
    index("dead_letter_agent").on(t.tenantId, t.agentId, t.id),
  ],
);

/** Bulk re-drives: the row is the record of how far it is. */
export const redrive = sqliteTable(
  "redrive",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    status: text("status").$type<RedriveStatus>().notNull(),
    agentId: text("agent_id"),
    environment: text("environment"),
    cause: text("cause"),
    letterStatus: text("letter_status").$type<LetterStatus>(),
    perMinute: integer("per_minute").notNull(),
    version: integer("version"),
    fresh: integer("fresh").notNull(),
    /** Whose requests the new invocations are. */
    principal: text("principal").notNull(),
    total: integer("total").notNull(),
    redriven: integer("redriven").notNull(),
    refused: integer("refused").notNull(),
    /** The last letter that was looked at; letters are taken in the order of their ids. */
    position: text("position").notNull(),
    /** The minute (since 1970) that was last worked in, and how many letters were taken in it. */
    minute: integer("minute").notNull(),
    inMinute: integer("in_minute").notNull(),
    /** Nobody else works on it before. */
    takenUntilMs: integer("taken_until_ms").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    finishedAtMs: integer("finished_at_ms"),
    lastChangeId: text("last_change_id").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    index("redrive_due").on(t.status, t.takenUntilMs),
  ],
);
