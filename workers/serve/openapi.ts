/** /openapi.json — the route table, as other programs read it. */
import { Hono } from "hono";
import { z } from "zod";
import { type OpenApiDocument, openApiDocument } from "../../core/openapi/document.ts";
import type { HostedRoute } from "../edge/app.ts";
import type { EdgeEnv } from "../edge/context.ts";
import { answers, open } from "../edge/routes.ts";
import { VERSION } from "./health.ts";

/** Routes of the hosts this document speaks for; asked when served, when all are mounted. */
export type Routes = () => readonly HostedRoute[];

export function openapi(routes: Routes): Hono<EdgeEnv> {
  return new Hono<EdgeEnv>().get(
    "/openapi.json",
    open("This API as OpenAPI 3.1"),
    answers(200, z.looseObject({ openapi: z.literal("3.1.0") }), "The document."),
    (c) => c.json(documentFor(routes(), c.get("host").kind, c.get("origin"))),
  );
}

/** The document of one host's routes; what serves browsers and their files is not in it. */
export function documentFor(
  routes: readonly HostedRoute[],
  host: "platform" | "tenant" | "custom",
  origin: string,
): OpenApiDocument {
  const face = host === "platform" ? "platform" : "tenant";
  const served = routes.filter((route) => route.host === face && !route.path.endsWith("*"));
  return openApiDocument(served, { title: "Berth", version: VERSION, origin });
}
