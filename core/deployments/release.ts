import type { AgentSpec } from "../agents/spec.ts";
import type { ReleaseContent } from "../content/contract.ts";
import type { Rules } from "../limits/contract.ts";
import type { Price } from "../models/contract.ts";
import type { WrappedKey } from "../seal/contract.ts";
import type { SealedSecret } from "../secrets/contract.ts";

/** A provider as a release carries it; the key stays sealed until the object makes a call. */
export type ReleaseProvider = {
  readonly id: string;
  readonly slug: string;
  /** `openai` speaks to any compatible base URL. */
  readonly kind: "openai";
  readonly baseUrl: string;
  /** Sealed under additional data `tenantId|provider|id`; null for a provider that needs none. */
  readonly sealedKey: string | null;
  /** The named secret that is its key instead; absent in an older release. */
  readonly secretName?: string | null;
};

/** Everything one AgentRuntime needs to run one version: what "installed" means. */
export type Release = {
  readonly tenantId: string;
  readonly agentId: string;
  readonly agentSlug: string;
  readonly environment: string;
  readonly replica: number;
  /** The object's tag, part of the ids it makes. */
  readonly tag: string;
  /** Grows by one with each change of what is live here, a provider's new key included. */
  readonly generation: number;
  readonly deploymentId: string;
  readonly versionId: string;
  readonly version: number;
  readonly specHash: string;
  readonly spec: AgentSpec;
  readonly providers: readonly ReleaseProvider[];
  /** By `provider/model`; a model without one costs 0 and says so nowhere. */
  readonly prices: Readonly<Record<string, Price>>;
  /** The data keys its sealed values need, wrapped; absent in one made before there were any. */
  readonly dataKeys?: readonly WrappedKey[];
  /** Objects that share the agent's limits; absent for one. */
  readonly objects?: number;
  /** Nothing is begun until it is resumed; absent for an agent that is not paused. */
  readonly paused?: true;
  /** The named secrets its spec and providers refer to, as they are sent now. */
  readonly secrets?: readonly SealedSecret[];
  /** The agent's; absent in an older release. */
  readonly projectId?: string;
  /** What the tenant says of its content; absent where it has said nothing. */
  readonly content?: ReleaseContent;
  /** Limits, budgets and stops of the tenant that can concern this agent; absent where none can. */
  readonly rules?: Rules;
};

/** The name of an agent's object, everywhere (DECISIONS 1). Ids, never slugs. */
export function objectName(
  tenantId: string,
  agentId: string,
  environment: string,
  replica: number,
): string {
  return JSON.stringify([tenantId, agentId, environment, replica]);
}
