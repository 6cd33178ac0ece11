import { type Output, terminal } from "../../../core/invocations/contract.ts";
import type { ProblemData } from "../../../core/problem.ts";
import { bytesOf } from "../../../core/upstreams/body.ts";
import { openJson, unpack } from "../content.ts";
import type { Condition, Proxied } from "../contract-upstream.ts";
import { findInvocation, type InvocationRow } from "../invocations.ts";
import type { Kernel } from "../kernel.ts";
import { streamOf, type Text } from "../text.ts";
import type { Sql } from "../sql.ts";

export type Waited = {
  readonly id: string;
  readonly replayed: boolean;
  /** Until when its caller waits. */
  readonly untilMs: number;
  /** The invocation as others are shown it. */
  readonly shown: (row: InvocationRow) => Text;
};

/**
 * What the caller of a proxied request is answered: the upstream's answer from its first byte on,
 * the stored one, or that the request is kept (F93, F97).
 */
export async function answerTo(kernel: Kernel, waited: Waited): Promise<Proxied> {
  const { id, replayed, untilMs, shown } = waited;
  for (;;) {
    const live = kernel.answers.get(id);
    const row = findInvocation(kernel.sql, id);
    if (row === undefined) throw new Error("an accepted invocation has no row");
    const said = { ok: true, id, status: row.status, replayed } as const;
    if (live !== undefined) {
      const { status: httpStatus, headers } = live.head;
      return { ...said, kind: "answer", httpStatus, headers, body: live.body() };
    }
    if (terminal(row.status)) return { ...said, ...ended(kernel, row) };
    const waitMs = untilMs - kernel.now();
    if (waitMs <= 0 || kept(kernel, row)) return { ...said, kind: "open", body: shown(row) };
    await kernel.feed.change(id, waitMs);
  }
}

/** Nothing will come of it before the upstream, or the agent, is there again. */
function kept(kernel: Kernel, row: InvocationRow): boolean {
  return row.status === "waiting" || (row.status === "accepted" && kernel.intake.shut);
}

function ended(kernel: Kernel, row: InvocationRow) {
  const output =
    row.output === null ? undefined : (JSON.parse(unpack(kernel.sql, row.output)) as Output);
  if (output?.response !== undefined) {
    const { status: httpStatus, headers, body } = output.response;
    const bytes = bytesOf(body);
    return { kind: "answer", httpStatus, headers, body: bytes && whole(bytes) } as const;
  }
  return { kind: "failed", problem: problemOf(kernel.sql, row) } as const;
}

function whole(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return streamOf([bytes][Symbol.iterator]());
}

function problemOf(sql: Sql, { status, error }: InvocationRow): ProblemData {
  // Written by `giveUp` and by nothing else.
  if (error !== null) return JSON.parse(openJson(sql, error)) as ProblemData;
  return { code: "conflict", detail: `the invocation has ${status}` };
}

/** How the object is doing, for its operator. */
export function conditionOf(kernel: Kernel): Condition {
  const installed = kernel.releases.newest();
  const open = kernel.sql.one<{ count: number }>(
    "SELECT count(*) AS count FROM invocation WHERE pending = 1",
  );
  const upstream =
    installed?.kind === "http"
      ? kernel.health.report(!kernel.breakers.closed(installed.upstream.name))
      : null;
  const paused = installed?.release.paused === true;
  const breakers = kernel.breakers.report();
  return { ok: true, paused, open: open?.count ?? 0, upstream, breakers };
}
