import {
  usd,
  type Invocation,
  type InvocationStatus,
  type Output,
} from "../../core/invocations/contract.ts";
import { rfc3339 } from "../../core/clock.ts";
import { forkedFrom } from "./branch.ts";
import { openJson, unpack } from "./content.ts";
import { lineageOf } from "./lineage.ts";
import type { Sql } from "./sql.ts";

/** A row of `invocation`, names as in the table. */
export type InvocationRow = {
  readonly id: string;
  readonly principal: string;
  readonly idem: string | null;
  readonly fingerprint: string;
  readonly session_id: string;
  readonly turn: number;
  readonly generation: number;
  readonly version: number;
  readonly status: InvocationStatus;
  readonly attempt: number;
  readonly failures: number;
  readonly restarts: number;
  readonly due_ms: number | null;
  readonly deltas: number;
  readonly input: string;
  readonly output: string | null;
  readonly error: string | null;
  readonly metadata: string | null;
  readonly max_cost_micros: number | null;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly model_calls: number;
  readonly tool_calls: number;
  readonly estimated: number;
  readonly cost_micros: number;
  readonly redriven_from: string | null;
  readonly request_id: string;
  readonly traceparent: string | null;
  readonly created_ms: number;
  readonly completed_ms: number | null;
  /** The first events, those of the accept itself, as a packed list; null in rows of version 1. */
  readonly opening: string | null;
  /** How many they are: they are numbered from 1. */
  readonly opened: number;
  /** The last events, those of the end itself, and the number of the first of them. */
  readonly closing: string | null;
  readonly closed: number | null;
  /** Of what the turn adds to its session's history; 0 while there is no answer. */
  readonly tokens: number;
  /** What is left to do: 1 while open, 2 while the control plane has not acknowledged the end. */
  readonly pending: 1 | 2 | null;
  /** By the agent's rate limit: when the next request is due, in microseconds. */
  readonly tat_us: number | null;
  /** The first step (./steps.ts) as JSON without its output; null before it was sent. */
  readonly first: string | null;
  readonly first_output: string | null;
  /** What of it has had its time, as a sum of ./retention.ts `GONE`; null while all is there. */
  readonly erased: number | null;
  /** JSON of a `Branch` (./branch.ts), when it began from another one's journal; else null. */
  readonly branch: string | null;
};

export function findInvocation(sql: Sql, id: string): InvocationRow | undefined {
  return sql.one<InvocationRow>("SELECT * FROM invocation WHERE id = ?", id);
}

/** The invocation a principal's idempotency key stands for. */
export function findByKey(sql: Sql, principal: string, key: string): InvocationRow | undefined {
  return sql.one<InvocationRow>(
    "SELECT * FROM invocation WHERE principal = ? AND idem = ?",
    principal,
    key,
  );
}

/** All of that key, one of each principal: the index is walked from principal to principal. */
export function findByKeyOfAny(sql: Sql, key: string): readonly InvocationRow[] {
  return sql.all<InvocationRow>(
    `WITH RECURSIVE asker(id) AS (
       SELECT min(principal) FROM invocation WHERE idem IS NOT NULL
       UNION ALL SELECT (SELECT min(principal) FROM invocation
         WHERE idem IS NOT NULL AND principal > asker.id) FROM asker WHERE asker.id IS NOT NULL)
     SELECT i.* FROM asker JOIN invocation i ON i.principal = asker.id AND i.idem = ?`,
    key,
  );
}

/** What the release adds to a row to make the wire form. */
export type Naming = { readonly agent: string; readonly environment: string };

/** The row with nothing in the columns that may be large. */
export function withoutContent<Row extends object>(row: Row) {
  return { ...row, input: '=""', output: null, first_output: null };
}

/** What the caller said of the invocation. */
export function metadataOf(
  sql: Sql,
  { metadata }: Pick<InvocationRow, "metadata">,
): Readonly<Record<string, string>> {
  return metadata === null ? {} : (JSON.parse(openJson(sql, metadata)) as Record<string, string>);
}

/** The wire form of an invocation. */
export function onWire(sql: Sql, row: InvocationRow, naming: Naming): Invocation {
  return {
    id: row.id,
    agent: naming.agent,
    version: row.version,
    environment: naming.environment,
    session_id: row.session_id,
    status: row.status,
    input: JSON.parse(unpack(sql, row.input)) as Invocation["input"],
    output: row.output === null ? null : (JSON.parse(unpack(sql, row.output)) as Output),
    error:
      row.error === null ? null : (JSON.parse(openJson(sql, row.error)) as Invocation["error"]),
    usage: {
      input_tokens: row.input_tokens,
      output_tokens: row.output_tokens,
      model_calls: row.model_calls,
      tool_calls: row.tool_calls,
      estimated: row.estimated === 1,
    },
    cost_micros: row.cost_micros,
    cost_usd: usd(row.cost_micros),
    lineage: lineageOf(sql, row),
    redriven_from: row.redriven_from,
    forked_from: forkedFrom(row.branch),
    attempts: row.attempt,
    metadata: metadataOf(sql, row),
    created_at: rfc3339(row.created_ms),
    completed_at: row.completed_ms === null ? null : rfc3339(row.completed_ms),
  };
}
