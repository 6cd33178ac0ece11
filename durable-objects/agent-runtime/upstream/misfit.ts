import { refuse, type Refusal } from "../../../core/problem.ts";
import type { Call } from "../contract.ts";
import type { Installed } from "../releases.ts";

/** Why this agent cannot take this call, whoever makes it; undefined when it can. */
export function misfitOf(call: Call, installed: Installed): Refusal | undefined {
  if (installed.kind === "llm") {
    return call.proxied ? refuse("not_found", "the agent has no upstream") : undefined;
  }
  const { max_request_bytes: mostBytes } = installed.spec.upstream;
  const sizeBytes = call.sizeBytes ?? new TextEncoder().encode(call.input).length;
  if (sizeBytes <= mostBytes) return undefined;
  return refuse("too_large", `the upstream is sent at most ${mostBytes} bytes`);
}
