import { z } from "zod";
import { MemorySpec } from "../memories/contract.ts";
import { BreakerPolicy, RetryPolicy } from "../runs/contract.ts";
import { ToolSpec } from "../tools/contract.ts";
import { headerSecrets, UpstreamSpec, upstreamSecrets } from "../upstreams/contract.ts";

/** Where an agent's words come from: `provider/model`, for example `local/extract` or `openai/gpt-5.2-mini`. */
export const ModelRef = z
  .string()
  .max(200)
  .regex(/^[a-z][a-z0-9-]{0,39}\/[A-Za-z0-9@:._/-]{1,160}$/, "expected provider/model");
export type ModelRef = z.infer<typeof ModelRef>;

/** Sampling, handed to the provider as it is; absent means the provider's default. */
export const ModelParameters = z.strictObject({
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().min(0).max(1).optional(),
  max_output_tokens: z.number().int().min(1).max(200_000).optional(),
  stop: z.array(z.string().min(1).max(100)).max(4).optional(),
});
export type ModelParameters = z.infer<typeof ModelParameters>;

/** A passage the agent may quote; the title is what a citation names. */
export const KnowledgeItem = z.strictObject({
  title: z.string().min(1).max(200),
  text: z.string().min(1).max(100_000),
});
export type KnowledgeItem = z.infer<typeof KnowledgeItem>;

/** What one agent admits, exact in its own object (DECISIONS 21). Absent means unlimited. */
export const AgentLimits = z.strictObject({
  requests_per_minute: z.number().int().min(0).max(1_000_000).optional(),
  /** Invocations accepted and not terminal; above it `overloaded`. */
  queue_depth: z.number().int().min(1).max(10_000).default(1000),
  /** Most micro-USD one invocation may cost; a step that could pass it is not started. */
  max_cost_micros: z.number().int().min(0).max(1_000_000_000_000).optional(),
});
export type AgentLimits = z.infer<typeof AgentLimits>;

/** What becomes of turns that the window has no room for: a summary, instead of nothing. */
export const Compaction = z.strictObject({
  /** The turns since the last summary may hold so many tokens before another one is made. */
  after_tokens: z.number().int().min(100).max(500_000).default(6000),
  /** The newest of them stay as they were said. */
  keep_turns: z.number().int().min(0).max(50).default(4),
  /** Longest summary. */
  max_tokens: z.number().int().min(50).max(8000).default(800),
});
export type Compaction = z.infer<typeof Compaction>;

/** How much of a session the model sees: whole turns from the newest back, within both bounds. */
export const HistoryWindow = z.strictObject({
  max_turns: z.number().int().min(0).max(200).default(20),
  max_tokens: z.number().int().min(0).max(1_000_000).default(8000),
  compaction: Compaction.optional(),
});
export type HistoryWindow = z.infer<typeof HistoryWindow>;

/**
 * What becomes of input that arrives while a turn of its session is open (K12): it waits (`queue`,
 * also when nothing is said), is refused, takes the open turn's place, or joins one that has not
 * begun.
 */
export const SessionRules = z.strictObject({
  policy: z.enum(["queue", "reject", "interrupt", "rollback", "merge"]).default("queue"),
  /** `merge`: a turn begins when nothing was added for so long, and at most ten times this. */
  merge_window_ms: z.number().int().min(10).max(60_000).default(1000),
});
export type SessionRules = z.infer<typeof SessionRules>;

/** Most objects one agent's sessions are spread over, in each environment. */
export const MAX_REPLICAS = 32;

/** What an agent of every kind has. */
const common = {
  limits: AgentLimits.prefault({}),
  retry: RetryPolicy.prefault({}),
  session: SessionRules.optional(),
  /** Objects that share its sessions (DECISIONS 3); one unless said. */
  replicas: z.number().int().min(1).max(MAX_REPLICAS).optional(),
};

/** The document that defines an agent of `kind: llm`. Unknown fields are refused. */
export const LlmSpec = z.strictObject({
  kind: z.literal("llm"),
  instructions: z.string().max(200_000).default(""),
  model: ModelRef.default("local/extract"),
  fallback: z.array(ModelRef).max(5).default([]),
  parameters: ModelParameters.default({}),
  knowledge: z.array(KnowledgeItem).max(100).default([]),
  tools: z.array(ToolSpec).max(64).default([]),
  history: HistoryWindow.prefault({}),
  memory: MemorySpec.optional(),
  ...common,
  /** When calls to a provider that fails stop for a while; absent: its defaults. */
  breaker: BreakerPolicy.optional(),
  /** Model calls in one run; the run fails with `step_limit` after them. */
  max_steps: z.number().int().min(1).max(50).default(8),
  /** One model call, in ms, first byte to last. */
  model_timeout_ms: z.number().int().min(100).max(600_000).default(120_000),
});
export type LlmSpec = z.infer<typeof LlmSpec>;

/** The document that defines an agent whose runtime is somebody's endpoint. */
export const HttpSpec = z.strictObject({
  kind: z.literal("http"),
  upstream: UpstreamSpec,
  ...common,
});
export type HttpSpec = z.infer<typeof HttpSpec>;

/** The document that defines an agent. */
export const AgentSpec = z.discriminatedUnion("kind", [LlmSpec, HttpSpec]);
export type AgentSpec = z.infer<typeof AgentSpec>;

/** Where a spec names a secret, as a pointer, and which. */
export function secretPlaces(spec: AgentSpec): readonly (readonly [string, string])[] {
  if (spec.kind === "http") return upstreamSecrets(spec.upstream, "/upstream");
  return spec.tools.flatMap((tool, i) =>
    tool.kind === "http" ? headerSecrets(tool.headers, `/tools/${i}`) : [],
  );
}

/** The secrets a spec refers to, each once. */
export function secretNamesOf(spec: AgentSpec): readonly string[] {
  return [...new Set(secretPlaces(spec).map(([, name]) => name))];
}

/** The models a spec names, in the order they are asked, and what embeds; none for an endpoint. */
export function modelsOf(spec: AgentSpec): readonly string[] {
  if (spec.kind === "http") return [];
  return [spec.model, ...spec.fallback, ...(spec.memory ? [spec.memory.embeddings] : [])];
}
