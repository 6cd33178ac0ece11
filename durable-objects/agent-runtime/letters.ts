import { refuse, type Refusal } from "../../core/problem.ts";
import { rfc3339 } from "../../core/clock.ts";
import type { LetterContent } from "../../core/dead-letters/contract.ts";
import { pack, unpack } from "./content.ts";
import type { Amendment } from "./contract-replays.ts";
import type { InvocationRow } from "./invocations.ts";
import type { Kernel } from "./kernel.ts";
import type { Sql } from "./sql.ts";
import { listSteps } from "./steps.ts";

type AmendmentRow = {
  readonly input: string;
  readonly revision: number;
  readonly principal: string;
  readonly at_ms: number;
};

/** JSON of the input an invocation is to be tried again with; undefined when it is its own. */
export function amendedInput(sql: Sql, invocationId: string): string | undefined {
  const row = find(sql, invocationId);
  return row && unpack(sql, row.input);
}

/** A dead letter's content: what was asked, what it is asked instead, and where it broke. */
export function contentOf(sql: Sql, row: InvocationRow): LetterContent {
  const amended = find(sql, row.id);
  const steps = listSteps(sql, row.id);
  const input = JSON.parse(unpack(sql, row.input)) as LetterContent["input"];
  const failed = steps.findLast(({ state }) => state !== "done");
  return {
    input,
    amended_input: amended ? (JSON.parse(unpack(sql, amended.input)) as typeof input) : null,
    revision: amended?.revision ?? 1,
    amended_at: amended ? rfc3339(amended.at_ms) : null,
    amended_by: amended?.principal ?? null,
    failed_step: failed?.key ?? null,
    finished_steps: steps.filter(({ state }) => state === "done").length,
  };
}

/** Keep another input beside the invocation's own, if it is still at that revision. */
export function amend(
  kernel: Kernel,
  row: InvocationRow,
  amendment: Amendment,
): { readonly ok: true } | Refusal {
  const { sql } = kernel;
  return sql.transaction(() => {
    const revision = find(sql, row.id)?.revision ?? 1;
    if (revision !== amendment.revision) {
      return refuse("version_conflict", `the dead letter is at revision ${revision}`);
    }
    sql.run("DELETE FROM content WHERE ref = ?", `${row.id}/amendment/${revision}`);
    sql.run(
      `INSERT INTO amendment (invocation_id, input, revision, principal, at_ms)
       VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (invocation_id) DO UPDATE SET
         input = ?2, revision = ?3, principal = ?4, at_ms = ?5`,
      row.id,
      pack(sql, `${row.id}/amendment/${revision + 1}`, amendment.input),
      revision + 1,
      amendment.principal,
      kernel.now(),
    );
    return { ok: true };
  });
}

function find(sql: Sql, invocationId: string): AmendmentRow | undefined {
  return sql.one<AmendmentRow>(
    "SELECT input, revision, principal, at_ms FROM amendment WHERE invocation_id = ?",
    invocationId,
  );
}
