import type { Clock } from "../clock.ts";
import type { Fetch } from "../models/contract.ts";
import { clockTool } from "./clock.ts";
import type { Tool, ToolSpec } from "./contract.ts";
import { httpTool } from "./http.ts";
import { callbackTool, sleepTool } from "./waiting.ts";

export type ToolPorts = {
  /** `fetch` behind the egress rule (core/egress/fetch.ts). */
  readonly fetch: Fetch;
  readonly now: Clock;
  /** A named secret's value; undefined when there is none, or it does not open. */
  readonly secret: (name: string) => string | undefined;
};

/** A tool of the spec, ready to be called. The spec has passed `checkTools`. */
export function buildTool(spec: ToolSpec, ports: ToolPorts): Tool {
  if (spec.kind === "clock") return clockTool(spec, ports.now);
  if (spec.kind === "http") return httpTool(spec, ports);
  return spec.kind === "sleep" ? sleepTool(spec) : callbackTool(spec);
}
