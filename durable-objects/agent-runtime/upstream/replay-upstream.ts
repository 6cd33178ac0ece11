import type { Output } from "../../../core/invocations/contract.ts";
import type { Divergence, Replay } from "../../../core/replays/contract.ts";
import { unpack } from "../content.ts";
import type { InvocationRow } from "../invocations.ts";
import type { Desk } from "../replay.ts";
import type { HttpInstalled } from "../releases.ts";
import { findStep, outputOf, type StepRow } from "../steps.ts";
import { askedBy, UPSTREAM_STEP } from "./asked.ts";
import { hashOf } from "./forward.ts";

/**
 * An `http` agent's run, held against its journal: its request is built again and compared by its
 * hash, and the answer that is stored by the hash its step was given when it came.
 */
export function replayUpstream(desk: Desk, row: InvocationRow, installed: HttpInstalled): Replay {
  const step = findStep(desk.sql, row.id, UPSTREAM_STEP);
  const asked = hashOf(desk, askedBy(desk, { id: row.id, row, installed }));
  const recorded = row.output === null ? null : unpack(desk.sql, row.output);
  const hash = recorded === null ? null : desk.sha256(recorded);
  const detail = step && differenceOf(desk, row, step, asked, hash);
  const divergence: Divergence | null =
    detail === undefined ? null : { step: UPSTREAM_STEP, detail, suspect: null };
  return {
    invocation_id: row.id,
    version: installed.release.version,
    verdict: divergence ? "diverged" : "equal",
    error: divergence && {
      code: "journal_mismatch",
      detail: `at step ${UPSTREAM_STEP}: ${detail}`,
    },
    divergence,
    steps: step ? [{ key: step.key, kind: step.kind, name: step.name }] : [],
    output: divergence || recorded === null ? null : (JSON.parse(recorded) as Output),
    recorded_hash: hash,
    replayed_hash: divergence ? null : hash,
  };
}

function differenceOf(
  { sql }: Desk,
  row: InvocationRow,
  step: StepRow,
  asked: string,
  hash: string | null,
): string | undefined {
  if (step.input_hash !== asked) return "the request is another than the journal says";
  const output = outputOf(sql, step);
  const answered = output && "response" in output ? output.response.output_sha256 : undefined;
  if (row.status === "succeeded" && step.state !== "done") return "the journal has no answer";
  if (answered !== undefined && answered !== hash) return "the output differs from what came";
  return undefined;
}
