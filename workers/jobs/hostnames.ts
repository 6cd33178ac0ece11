/** Cron's share of hostnames: those that wait for DNS or a certificate, and the daily round. */
import { tenantScope } from "../../core/db/scope.ts";
import { checkHostname } from "../../core/hostnames/check.ts";
import { dueHostnames, type HostnameRow } from "../../core/hostnames/store.ts";
import { getTenant } from "../../core/tenants/store.ts";
import { hostnamePorts, targetOf } from "../api/hostname-ports.ts";
import type { Services } from "../edge/services.ts";
import { forgetHostname } from "../edge/tenant.ts";
import { logFault } from "./batch.ts";

/** Looks in one minute; the rest has its turn in the next. */
const LOOKS = 20;

/** Look at every hostname that is due. Returns how many. */
export async function checkDueHostnames(services: Services, nowMs: number): Promise<number> {
  const due = await dueHostnames(services.platform, nowMs, LOOKS);
  for (const row of due) {
    // One that fails must not keep the others.
    await look(services, row, nowMs).catch((error: unknown) => logFault("hostname", error));
  }
  return due.length;
}

async function look(services: Services, row: HostnameRow, nowMs: number): Promise<void> {
  const { platform, config } = services;
  const { slug, status } = await getTenant(platform, row.tenantId);
  if (status === "erasing") return;
  const scope = tenantScope(platform, row.tenantId);
  const about = { platform, scope, target: targetOf(config, slug), counted: true, nowMs };
  await checkHostname({ ...hostnamePorts(config), ...about }, row);
  forgetHostname(services, row.name);
}
