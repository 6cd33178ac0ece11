/**
 * One look at a hostname: DNS, then the edge, then its row. Somebody asks for it, or cron does.
 * What it makes of what it finds is ./settle.ts.
 */
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { Problem } from "../problem.ts";
import { challengeName } from "./contract.ts";
import type { Resolve } from "./dns.ts";
import type { HostnameEdge } from "./edge.ts";
import { gone, type Proof, proven, type Settled, unproven, unseen } from "./settle.ts";
import { changeHostname, claimName, findHolder, getHostname, type HostnameRow } from "./store.ts";

export type Look = {
  readonly platform: PlatformScope;
  readonly scope: TenantScope;
  readonly resolve: Resolve;
  readonly edge: HostnameEdge;
  /** Where the CNAME is to lead. */
  readonly target: string;
  /** A look of the daily round. */
  readonly counted: boolean;
  readonly nowMs: number;
};

/** @throws Problem `conflict` for a name that another tenant proves as well */
export async function checkHostname(look: Look, row: HostnameRow): Promise<HostnameRow> {
  const tokens = await look.resolve(challengeName(row.name), "TXT");
  if (row.claimedName !== null) return recheck(look, row, await proofOf(look, row, tokens));
  const proof = proofIn(row, tokens);
  if (proof.kind !== "shown") return settle(look, row, unproven(row, proof, look.nowMs));
  const claimed = await claim(look, row, tokens.asked ? tokens.values : []);
  return claimed === undefined ? getHostname(look.scope, row.id) : atEdge(look, claimed);
}

type Answer = Awaited<ReturnType<Resolve>>;

/** By the TXT record alone: who would have a name must show it there. */
function proofIn({ token }: HostnameRow, tokens: Answer): Proof {
  if (!tokens.asked) return { kind: "unasked", why: tokens.why };
  return { kind: tokens.values.includes(token) ? "shown" : "absent" };
}

/** By either record: who has a name keeps it while its visitors are led here. */
async function proofOf(look: Look, row: HostnameRow, tokens: Answer): Promise<Proof> {
  const proof = proofIn(row, tokens);
  if (proof.kind === "shown") return proof;
  const names = await look.resolve(row.name, "CNAME");
  if (names.asked && names.values.includes(look.target)) return { kind: "led_here" };
  return names.asked ? proof : { kind: "unasked", why: names.why };
}

async function recheck(look: Look, row: HostnameRow, proof: Proof): Promise<HostnameRow> {
  if (proof.kind === "unasked") return settle(look, row, unseen(row, proof.why, look.nowMs));
  if (proof.kind === "absent") return settle(look, row, gone(row, look.counted, look.nowMs));
  return atEdge(look, row);
}

/** H1. The holder keeps the name only while its own token is in DNS beside the new one. */
async function claim(
  { platform, scope, nowMs }: Look,
  row: HostnameRow,
  tokens: readonly string[],
): Promise<HostnameRow | undefined> {
  const holder = await findHolder(platform, row.name);
  if (holder !== undefined && tokens.includes(holder.token)) {
    throw new Problem("conflict", "the TXT record of another tenant stands there too; remove it");
  }
  return claimName(platform, scope, row, holder, nowMs);
}

async function atEdge(look: Look, row: HostnameRow): Promise<HostnameRow> {
  const answer = await look.edge.ensure(row.name, row.edgeId);
  if (!answer.ok) {
    return settle(look, row, unseen(row, answer.problem.data.detail, look.nowMs));
  }
  const settled = proven(row, answer.edge, look.nowMs);
  return settle(look, row, settled, answer.edge.edgeId);
}

/** A name that failed is let go of, here and at the edge. */
async function settle(
  look: Look,
  row: HostnameRow,
  settled: Settled,
  edgeId = row.edgeId,
): Promise<HostnameRow> {
  const { scope, nowMs } = look;
  const failed = settled.status === "failed" && row.claimedName !== null;
  if (failed) {
    const removed = await look.edge.remove(row.name, edgeId);
    // Still known there: it stays ours until it is not, and is looked at again.
    if (!removed.ok)
      return settle(look, row, unseen(row, removed.problem.data.detail, nowMs), edgeId);
  }
  const change = {
    ...settled,
    edgeId: failed ? null : edgeId,
    ...(failed ? { claimedName: null } : {}),
    checkedAtMs: nowMs,
  };
  return (
    (await changeHostname(scope, row, change, !look.counted, nowMs)) ?? getHostname(scope, row.id)
  );
}
