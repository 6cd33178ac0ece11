/** The console's files, for browsers, at the tenant's own address. */
import type { Context } from "hono";
import { Problem } from "../../core/problem.ts";
import type { AppEnv } from "../edge/context.ts";
import { answers, newRoutes, open, takes } from "../edge/routes.ts";
import { ByAgent } from "./invoke.ts";

/**
 * Everything the page needs comes from this host. `connect-src` names the socket as well: to some
 * browsers 'self' does not cover ws.
 */
function pagePolicy(origin: string): string {
  const socket = origin.replace(/^http/, "ws");
  return [
    "default-src 'self'",
    `connect-src 'self' ${socket}`,
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** Headers every page of ours has. */
export function pageHeaders(policy: string): Record<string, string> {
  return {
    "content-security-policy": policy,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(self)",
  };
}

const PAGE = answers(200, null, "The console's page.", "text/html");
const FILE = answers(200, null, "A file of the console.", "application/octet-stream");

/** Addresses the page itself routes: each is the one `index.html`. */
export const consolePages = newRoutes()
  .get("/", open("The console"), PAGE, (c) => page(c))
  .get("/console", open("The console"), PAGE, (c) => page(c))
  .get("/console/*", open("The console"), PAGE, (c) => page(c))
  .get("/a/:agent", open("An agent's address in a browser"), takes("param", ByAgent), PAGE, (c) =>
    page(c),
  )
  .get("/assets/*", open("Files of the console"), FILE, (c) => file(c, c.req.path));

async function page(c: Context<AppEnv>): Promise<Response> {
  const answer = await file(c, "/");
  answer.headers.set("cache-control", "no-cache");
  return answer;
}

async function file(c: Context<AppEnv>, path: string): Promise<Response> {
  const asset = await c.env.ASSETS.fetch(new Request(new URL(path, c.req.url), c.req.raw));
  if (asset.status === 404) throw new Problem("not_found", "no such file");
  const answer = new Response(asset.body, asset);
  for (const [name, value] of Object.entries(pageHeaders(pagePolicy(c.get("origin"))))) {
    answer.headers.set(name, value);
  }
  if (path.startsWith("/assets/")) {
    answer.headers.set("cache-control", "public, max-age=31536000, immutable");
  }
  return answer;
}
