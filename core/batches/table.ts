import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";
import type { InvocationStatus } from "../invocations/contract.ts";
import type { BatchCounts, BatchNotice, BatchStatus, Outcome } from "./contract.ts";

/** Many inputs of one agent, asked for at once. */
export const batch = sqliteTable(
  "batch",
  {
    tenantId: text("tenant_id").notNull(),
    id: text("id").notNull(),
    agentId: text("agent_id").notNull(),
    environment: text("environment").notNull(),
    /** Who asked, and whom its invocations are by. */
    principalId: text("principal_id").notNull(),
    speaker: text("speaker").notNull(),
    /** Of the request that made it; null without an Idempotency-Key. */
    idem: text("idem"),
    fingerprint: text("fingerprint").notNull(),
    status: text("status").$type<BatchStatus>().notNull(),
    total: integer("total").notNull(),
    error: text("error", { mode: "json" }).$type<{ code: string; detail: string }>(),
    notices: text("notices", { mode: "json" }).$type<BatchNotice[]>().notNull(),
    /** Written at the end: the listing it was counted from does not last as long. */
    counts: text("counts", { mode: "json" }).$type<BatchCounts>(),
    redrivenFrom: text("redriven_from"),
    lastChangeId: text("last_change_id").notNull(),
    createdAtMs: integer("created_at_ms").notNull(),
    updatedAtMs: integer("updated_at_ms").notNull(),
    completedAtMs: integer("completed_at_ms"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    uniqueIndex("batch_idem").on(t.tenantId, t.speaker, t.idem),
    index("batch_status").on(t.status, t.updatedAtMs),
  ],
);

/** Some inputs of a batch, handed over together. */
export const batchChunk = sqliteTable(
  "batch_chunk",
  {
    tenantId: text("tenant_id").notNull(),
    /** The batch's id and the place of the first input. */
    id: text("id").notNull(),
    batchId: text("batch_id").notNull(),
    /** Place of its first input in the batch. */
    first: integer("first").notNull(),
    size: integer("size").notNull(),
    /** The inputs as a JSON list; null after an import that could not open them. */
    sealedInputs: text("sealed_inputs"),
    /** By input; null before any was handed over. */
    outcomes: text("outcomes", { mode: "json" }).$type<readonly Outcome[]>(),
    /** How many of them have an outcome, and how many a refusal. */
    handed: integer("handed").notNull(),
    refused: integer("refused").notNull(),
    /** 1 when what is not handed over never will be. */
    dropped: integer("dropped").notNull(),
    revision: integer("revision").notNull(),
    /** When it is to be handed over; null when nothing is left to hand over. */
    dueAtMs: integer("due_at_ms"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    index("batch_chunk_batch").on(t.tenantId, t.batchId, t.first),
    index("batch_chunk_due").on(t.dueAtMs),
  ],
);

/** An input's invocation that has ended, as its object told the ledger; written once. */
export const batchResult = sqliteTable(
  "batch_result",
  {
    tenantId: text("tenant_id").notNull(),
    batchId: text("batch_id").notNull(),
    invocationId: text("invocation_id").notNull(),
    status: text("status").$type<InvocationStatus>().notNull(),
    completedAtMs: integer("completed_at_ms").notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.batchId, t.invocationId] })],
);
