import { z } from "zod";
import type { AgentFacts } from "../agents/contract.ts";
import { Slug } from "../names.ts";
import type { Homes } from "./homes.ts";

export const DeploymentStatus = z.enum(["queued", "building", "live", "superseded", "failed"]);
export type DeploymentStatus = z.infer<typeof DeploymentStatus>;

const DeploymentEvent = z.object({
  at: z.string(),
  status: DeploymentStatus,
  detail: z.string(),
});

export const Deployment = z.object({
  id: z.string(),
  agent_id: z.string(),
  version: z.number().int(),
  environment: z.string(),
  status: DeploymentStatus,
  /** The problem that failed it, else null. */
  error: z.object({ code: z.string(), detail: z.string() }).nullable(),
  created_at: z.string(),
  updated_at: z.string(),
  /** Its transitions, oldest first. */
  events: z.array(DeploymentEvent),
});
export type Deployment = z.infer<typeof Deployment>;

/** A deployment in a list, without its events. */
export const DeploymentSummary = Deployment.omit({ events: true });
export type DeploymentSummary = z.infer<typeof DeploymentSummary>;

/** Body of `POST /v1/agents/{id}/deployments`. */
export const CreateDeployment = z.strictObject({
  version: z.number().int().min(1).max(1_000_000_000),
  environment: Slug,
});
export type CreateDeployment = z.infer<typeof CreateDeployment>;

/** Which agent an address leads to, and which object answers there; what the edge caches. */
export type LiveAgent = {
  readonly agentId: string;
  readonly slug: string;
  readonly name: string;
  readonly environment: string;
  readonly generation: number;
  readonly version: number;
  readonly replicas: number;
  /** Tag of replica 0. */
  readonly tag: string;
  /** Null as long as there was never more than replica 0. */
  readonly homes: Homes | null;
} & AgentFacts;

/** One build of a deployment: the generation is its own, however often the message is delivered. */
export type Build = {
  readonly deployment: Deployment;
  readonly versionId: string;
  /** Place in the order in which the agent's deployments were asked for. */
  readonly sequence: number;
  readonly generation: number;
  /** That the version asks for. */
  readonly replicas: number;
  /** That are there then, those of an earlier deployment included. */
  readonly objects: number;
};
