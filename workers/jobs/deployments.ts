/**
 * DEPLOYMENTS → live: carries deployments out.
 *
 *   queued → building (a generation of its own) → release installed in each replica → healthy
 *   → pointer swapped → live
 *
 * J1  The row is the record. A message is a wake-up and holds ids alone.
 * J2  Each stage may be repeated: a message that comes again goes on where the rows stand.
 * J3  The outbox row is acknowledged last; what dies before that is sent again by the sweep.
 * J4  A message is acknowledged after its own work. A fault delays that message, never the batch.
 */
import { z } from "zod";
import { acknowledgeOutbox } from "../../core/db/outbox.ts";
import { type PlatformScope, type TenantScope, tenantScope } from "../../core/db/scope.ts";
import type { Build } from "../../core/deployments/contract.ts";
import { beginBuilding, failDeployment } from "../../core/deployments/store-builds.ts";
import { finishLive } from "../../core/deployments/store-pointer.ts";
import { getDeployment } from "../../core/deployments/store-reads.ts";
import type { Release } from "../../core/deployments/release.ts";
import { isId } from "../../core/ids.ts";
import { priceOf } from "../../core/models/cost.ts";
import { Problem, type ProblemData } from "../../core/problem.ts";
import { buildRelease } from "../../core/releases/store.ts";
import type { LocationHint } from "../../core/tenants/contract.ts";
import { findTenantStatus } from "../../core/tenants/store-status.ts";
import { getOwnTenant } from "../../core/tenants/store.ts";
import type { AgentRuntimeRpc, Owner } from "../../durable-objects/agent-runtime/contract.ts";
import { type Batch, type Message, logFault, putOff } from "./batch.ts";

export const DEPLOYMENT_STAGES = ["begun", "built", "installed", "healthy", "swapped"] as const;
export type DeploymentStage = (typeof DEPLOYMENT_STAGES)[number];

export type DeploymentJob = {
  readonly platform: PlatformScope;
  readonly runtimeOf: (
    owner: Owner,
    location: LocationHint | null,
  ) => Pick<AgentRuntimeRpc, "install" | "health">;
  readonly now: () => number;
  /** What is live was swapped: whoever keeps the old pointer may drop it. */
  readonly swapped?: (release: Release) => void;
  /** Passed after each stage; a test throws from it to play a crash. */
  readonly passed?: (stage: DeploymentStage) => void;
};

const Wanted = z.object({
  outboxId: z.string(),
  tenantId: z.string().refine((id) => isId("tenant", id)),
  deploymentId: z.string(),
});
type Wanted = z.infer<typeof Wanted>;

/** After this long a deployment that only meets defects is told to have failed. */
const GIVE_UP_MS = 15 * 60_000;

/** A build that providers keep changing under is tried this often at once, then later. */
const BUILDS = 5;

/**
 * Of one tenant one after the other, for deployments of one agent would only overtake each other;
 * tenants side by side, so that none waits for another's.
 */
export async function consumeDeployments(batch: Batch, job: DeploymentJob): Promise<void> {
  const tenants = Map.groupBy(batch.messages, ({ body }) => Wanted.safeParse(body).data?.tenantId);
  await Promise.all(
    [...tenants.values()].map(async (messages) => {
      for (const message of messages) await consume(message, job);
    }),
  );
}

async function consume(message: Message, job: DeploymentJob): Promise<void> {
  const wanted = Wanted.safeParse(message.body);
  if (!wanted.success) {
    logFault("a deployment message that is none of ours was dropped");
    message.ack();
    return;
  }
  try {
    await deploy(job, wanted.data).catch(passOverGone);
    await acknowledgeOutbox(job.platform, wanted.data.outboxId); // J3
    message.ack(); // J4
  } catch (error) {
    putOff(message, error);
  }
}

/** The deployment, or its whole tenant, was deleted meanwhile: nothing is left to do or to tell. */
function passOverGone(error: unknown): void {
  if (!(error instanceof Problem) || error.code !== "not_found") throw error;
}

/** A refusal ends the deployment as `failed`; a defect leaves it `building`, to be tried again. */
async function deploy(job: DeploymentJob, { tenantId, deploymentId }: Wanted): Promise<void> {
  const scope = tenantScope(job.platform, tenantId);
  const status = await findTenantStatus(scope);
  if (status === undefined || status === "erasing") return; // DECISIONS 29
  try {
    await carryOut(job, scope, deploymentId);
  } catch (error) {
    const problem = await endOf(job, scope, deploymentId, error);
    if (problem === undefined) throw error;
    await failDeployment(scope, deploymentId, problem, job.now());
  }
}

/**
 * The problem that ends a deployment, or undefined while another try may help.
 *
 * @throws Problem `not_found` when the deployment itself is gone.
 */
async function endOf(
  job: DeploymentJob,
  scope: TenantScope,
  id: string,
  error: unknown,
): Promise<ProblemData | undefined> {
  if (error instanceof Problem) return error.data;
  const { created_at: createdAt } = await getDeployment(scope, id);
  if (job.now() - Date.parse(createdAt) < GIVE_UP_MS) return undefined;
  logFault("deployment given up", error);
  return { code: "timeout", detail: "it could not be carried out in time" };
}

async function carryOut(job: DeploymentJob, scope: TenantScope, id: string): Promise<void> {
  for (let attempt = 0; attempt < BUILDS; attempt += 1) {
    const build = await beginBuilding(scope, id, job.now());
    if (build === undefined) return; // live, superseded or failed: J2
    job.passed?.("begun");
    const release = await prepareReplicas(job, scope, build);
    const outcome = await finishLive(scope, build, job.now());
    if (release !== undefined) job.swapped?.(release);
    job.passed?.("swapped");
    if (outcome !== "behind") return;
  }
  throw new Error("providers changed under every build");
}

/** Every replica holds the release and says it can run it (DECISIONS 19). Returns the last one's. */
async function prepareReplicas(
  job: DeploymentJob,
  scope: TenantScope,
  build: Build,
): Promise<Release | undefined> {
  const { agent_id: agentId, environment } = build.deployment;
  const { location } = await getOwnTenant(scope);
  let release: Release | undefined;
  for (let replica = 0; replica < build.objects; replica += 1) {
    const owner = { tenantId: scope.tenantId, agentId, environment, replica };
    release = await buildRelease(scope, build, replica, priceOf, job.now());
    job.passed?.("built");
    const runtime = job.runtimeOf(owner, location);
    Problem.unwrap(await runtime.install(release));
    job.passed?.("installed");
    Problem.unwrap(await runtime.health(owner, release.generation));
    job.passed?.("healthy");
  }
  return release;
}
