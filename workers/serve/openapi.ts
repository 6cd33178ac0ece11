/** /openapi.json — the route table, as other programs read it. */
import { Hono } from "hono";
import { z } from "zod";
import { type OpenApiDocument, openApiDocument } from "../../core/openapi/document.ts";
import type { HostedRoute } from "../edge/app.ts";
import type { EdgeEnv, EdgeVariables } from "../edge/context.ts";
import { answers, open } from "../edge/routes.ts";
import { VERSION } from "./health.ts";

/** The document as the host that was asked would have it. */
export type Describe = (asked: Pick<EdgeVariables, "host" | "origin">) => OpenApiDocument;

/**
 * Describes the routes of the asked host; what serves browsers and their files is not in it.
 *
 * Made once for each kind of host, when first asked for: by then all routes are mounted, and
 * nobody can make us convert every schema again and again.
 */
export function describer(routes: () => readonly HostedRoute[]): Describe {
  const made = new Map<HostedRoute["host"], OpenApiDocument>();
  return ({ host, origin }) => {
    const face = host.kind === "platform" ? "platform" : "tenant";
    let document = made.get(face);
    if (document === undefined) {
      const served = routes().filter((it) => it.host === face && !it.path.endsWith("*"));
      document = openApiDocument(served, { title: "Berth", version: VERSION, origin });
      made.set(face, document);
    }
    return { ...document, servers: [{ url: origin }] };
  };
}

export function openapi(describe: Describe): Hono<EdgeEnv> {
  return new Hono<EdgeEnv>().get(
    "/openapi.json",
    open("This API as OpenAPI 3.1"),
    answers(200, z.looseObject({ openapi: z.literal("3.1.0") }), "The document."),
    (c) => c.json(describe(c.var)),
  );
}
