import type { z } from "zod";
import type { CallbackTool, JsonSchema, SleepTool, Tool } from "./contract.ts";
import { refusedArguments } from "./refusal.ts";
import { checkArguments } from "./schema.ts";

const SLEEP_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    seconds: { type: "integer", minimum: 1, description: "How long to wait." },
    until: {
      type: "string",
      description: "Instead of seconds: a time, such as 2027-03-01T09:00:00Z.",
      maxLength: 40,
    },
  },
  additionalProperties: false,
};

const RFC3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

/** Waits for `seconds`, or until a time; the run is not held meanwhile. */
export function sleepTool(spec: z.infer<typeof SleepTool>): Tool {
  return {
    offer: { name: spec.name, description: spec.description, inputSchema: SLEEP_SCHEMA },
    idempotent: true,
    wait: (args) => {
      const places = checkArguments(SLEEP_SCHEMA, args);
      if (places.length > 0) return refusedArguments(places);
      const { seconds, until } = args as { readonly seconds?: number; readonly until?: string }; // checked just above
      if ((seconds === undefined) === (until === undefined)) {
        return refusedArguments([{ pointer: "", detail: "expected either seconds or until" }]);
      }
      const maxMs = spec.max_s * 1000;
      if (seconds !== undefined) {
        const tooLong = { pointer: "/seconds", detail: `expected at most ${spec.max_s}` };
        if (seconds > spec.max_s) return refusedArguments([tooLong]);
        return { kind: "sleep", forMs: seconds * 1000, maxMs };
      }
      const untilMs = RFC3339.test(until ?? "") ? Date.parse(until ?? "") : Number.NaN;
      if (Number.isNaN(untilMs)) {
        return refusedArguments([{ pointer: "/until", detail: "expected an RFC 3339 time" }]);
      }
      return { kind: "sleep", untilMs, maxMs };
    },
    call: uncalled,
  };
}

/** Waits until somebody outside answers. */
export function callbackTool(spec: z.infer<typeof CallbackTool>): Tool {
  const { name, description, input_schema: inputSchema } = spec;
  return {
    offer: { name, description, inputSchema },
    idempotent: true,
    wait: (args) => {
      const places = checkArguments(inputSchema, args);
      if (places.length > 0) return refusedArguments(places);
      return { kind: "callback", timeoutMs: spec.timeout_s * 1000, onTimeout: spec.on_timeout };
    },
    call: uncalled,
  };
}

function uncalled(): never {
  throw new Error("a tool that waits is not called");
}
