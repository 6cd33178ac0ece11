/**
 * Can this spec run? Decided at publish, so that an invocation never finds out.
 *
 * The schema (`AgentSpec`) has settled the form; here is what one field says about another, and
 * about what the tenant has.
 */
import { type AgentSpec, type LlmSpec, secretNamesOf, secretPlaces } from "../agents/spec.ts";
import { MEMORY_TOOLS, type MemorySpec } from "../memories/contract.ts";
import { Problem, type ProblemPlace } from "../problem.ts";
import type { ToolSpec } from "../tools/contract.ts";
import type { UpstreamSpec } from "../upstreams/contract.ts";

export type SpecPorts = {
  /** Slugs a model reference may start with, beside `local`. */
  readonly providers: readonly string[];
  /** Those of the secrets the spec names that the tenant has. */
  readonly secrets?: readonly string[];
  /** Why these tools could not run; `checkTools` of core/tools, over the egress rule. */
  readonly toolFaults: (tools: readonly ToolSpec[]) => readonly ProblemPlace[];
  /** Why this upstream could not be called; `checkUpstream` of core/upstreams, over the same rule. */
  readonly upstreamFaults: (upstream: UpstreamSpec) => readonly ProblemPlace[];
};

/** @throws Problem `spec_invalid` with every fault and its JSON pointer. */
export function validateSpec(spec: AgentSpec, ports: SpecPorts): void {
  const errors = specFaults(spec, ports);
  if (errors.length > 0) throw new Problem("spec_invalid", "the spec cannot run", { errors });
}

/** Every reason why the spec cannot run, in document order. */
export function specFaults(spec: AgentSpec, ports: SpecPorts): readonly ProblemPlace[] {
  return [
    ...(spec.kind === "llm" ? llmFaults(spec, ports) : ports.upstreamFaults(spec.upstream)),
    ...secretFaults(spec, ports.secrets ?? []),
    ...(spec.retry.base_ms > spec.retry.cap_ms
      ? [{ pointer: "/retry/base_ms", detail: "is above cap_ms" }]
      : []),
    ...replicaFaults(spec),
    ...(spec.kind === "llm" && spec.memory ? memoryFaults(spec, spec.memory, ports.providers) : []),
  ];
}

/** What an agent keeps or counts as one cannot be spread as it likes (DECISIONS 3). */
function replicaFaults({ replicas = 1, limits }: AgentSpec): readonly ProblemPlace[] {
  const perMinute = limits.requests_per_minute ?? 0;
  if (perMinute === 0 || perMinute >= replicas) return [];
  const detail = "each replica has its share of it, and there is less than one for each";
  return [{ pointer: "/limits/requests_per_minute", detail }];
}

function memoryFaults(
  spec: LlmSpec,
  { embeddings, tools }: MemorySpec,
  providers: readonly string[],
): readonly ProblemPlace[] {
  const known = embeddings === "local/hash";
  const detail = "each replica would know a part of it";
  return [
    ...(known ? [] : modelFault("/memory/embeddings", embeddings, providers)),
    ...((spec.replicas ?? 1) > 1 ? [{ pointer: "/memory", detail }] : []),
    ...spec.tools.flatMap(({ name }, i) =>
      tools && MEMORY_TOOLS.some((own) => own === name)
        ? [{ pointer: `/tools/${i}/name`, detail: "is a tool of the memory" }]
        : [],
    ),
  ];
}

function llmFaults(spec: LlmSpec, ports: SpecPorts): readonly ProblemPlace[] {
  return [
    ...modelFault("/model", spec.model, ports.providers),
    ...spec.fallback.flatMap((ref, i) => fallbackFault(spec, ref, i, ports.providers)),
    ...knowledgeFaults(spec),
    ...ports.toolFaults(spec.tools),
  ];
}

function fallbackFault(
  spec: LlmSpec,
  ref: string,
  index: number,
  providers: readonly string[],
): readonly ProblemPlace[] {
  const pointer = `/fallback/${index}`;
  const earlier = [spec.model, ...spec.fallback.slice(0, index)];
  if (earlier.includes(ref)) return [{ pointer, detail: `${ref} was tried before` }];
  return modelFault(pointer, ref, providers);
}

function modelFault(
  pointer: string,
  ref: string,
  providers: readonly string[],
): readonly ProblemPlace[] {
  const slash = ref.indexOf("/");
  const provider = ref.slice(0, slash);
  if (provider === "local") {
    if (ref === "local/extract") return [];
    return [{ pointer, detail: "`local` knows one model, local/extract" }];
  }
  if (providers.includes(provider)) return [];
  return [{ pointer, detail: `no provider named ${provider}` }];
}

/** Most secrets one spec may name: they travel with every release of it. */
const MOST_SECRETS = 50;

function secretFaults(spec: AgentSpec, known: readonly string[]): readonly ProblemPlace[] {
  const names = secretNamesOf(spec);
  if (names.length > MOST_SECRETS) {
    const pointer = spec.kind === "llm" ? "/tools" : "/upstream/headers";
    return [{ pointer, detail: `names more than ${MOST_SECRETS} secrets` }];
  }
  return secretPlaces(spec).flatMap(([pointer, name]) =>
    known.includes(name) ? [] : [{ pointer: `${pointer}/secret`, detail: "no such secret" }],
  );
}

/** A title is what a citation names: two alike would cite nothing. */
function knowledgeFaults(spec: LlmSpec): readonly ProblemPlace[] {
  const titles = spec.knowledge.map((item) => item.title);
  return titles.flatMap((title, index) =>
    titles.indexOf(title) < index
      ? [{ pointer: `/knowledge/${index}/title`, detail: "is the title of another item" }]
      : [],
  );
}
