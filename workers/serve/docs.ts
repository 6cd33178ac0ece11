/** /docs — the OpenAPI document as one page; no script, nothing from outside. */
import { Hono } from "hono";
import { PAGE_STYLE, documentPage } from "../../core/openapi/page.ts";
import type { EdgeEnv } from "../edge/context.ts";
import { answers, newPlatformRoutes, open } from "../edge/routes.ts";
import { pageHeaders } from "./console.ts";
import type { Describe } from "./openapi.ts";

export function docs(describe: Describe): Hono<EdgeEnv> {
  return new Hono<EdgeEnv>()
    .get(
      "/docs",
      open("This API to read"),
      answers(200, null, "The page.", "text/html"),
      async (c) => c.html(documentPage(describe(c.var)), 200, pageHeaders(await policy())),
    )
    .get("/redoc", open("Where others have it"), answers(302, null, "To /docs."), (c) =>
      c.redirect("/docs"),
    );
}

/** The platform's own address has nothing to show but where to read on. */
export const platformHome = newPlatformRoutes().get(
  "/",
  open("Where to read on"),
  answers(302, null, "To /docs."),
  (c) => c.redirect("/docs"),
);

/** Nothing but the page's own style, by its hash. */
async function policy(): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(PAGE_STYLE));
  const hash = btoa(String.fromCharCode(...new Uint8Array(digest)));
  return `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}
