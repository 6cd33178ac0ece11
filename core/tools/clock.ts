import type { z } from "zod";
import type { Clock } from "../clock.ts";
import { rfc3339 } from "../clock.ts";
import type { ClockTool, JsonSchema, Tool } from "./contract.ts";
import { checkArguments } from "./schema.ts";
import { refusedArguments } from "./refusal.ts";

const INPUT_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    zone: {
      type: "string",
      description: "IANA time zone such as Europe/Paris; UTC when absent.",
      minLength: 1,
      maxLength: 64,
    },
  },
  additionalProperties: false,
};

/** Tells the time; the result is `{utc, local, weekday, zone}`. */
export function clockTool(spec: z.infer<typeof ClockTool>, now: Clock): Tool {
  return {
    offer: { name: spec.name, description: spec.description, inputSchema: INPUT_SCHEMA },
    idempotent: true,
    async call(args) {
      const places = checkArguments(INPUT_SCHEMA, args);
      if (places.length > 0) return refusedArguments(places);
      const { zone = "UTC" } = args as { readonly zone?: string }; // checked just above
      const format = formatFor(zone);
      if (format === undefined) {
        return refusedArguments([{ pointer: "/zone", detail: "is no IANA time zone" }]);
      }
      const atMs = now();
      const told = { utc: rfc3339(atMs), ...localTime(format, atMs), zone };
      return { content: JSON.stringify(told), isError: false };
    },
  };
}

function formatFor(zone: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      weekday: "long",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      hourCycle: "h23",
      timeZoneName: "longOffset",
    });
  } catch {
    return undefined;
  }
}

function localTime(format: Intl.DateTimeFormat, atMs: number) {
  const parts = new Map(format.formatToParts(atMs).map(({ type, value }) => [type, value]));
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.get(type) ?? "";
  const offset = part("timeZoneName").replace("GMT", "") || "+00:00";
  const date = `${part("year")}-${part("month")}-${part("day")}`;
  const time = `${part("hour")}:${part("minute")}:${part("second")}`;
  return { local: `${date}T${time}${offset}`, weekday: part("weekday") };
}
