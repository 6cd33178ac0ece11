/**
 * /branding.css and /branding/logo — what a tenant's pages wear, for anybody who opens them.
 *
 * Both are kept for a moment by tenant id, and are revalidated by their digest. A tenant whose flag
 * `white_label` is off, and one that chose nothing, have an empty sheet and no logo.
 */
import type { Context } from "hono";
import type { Branding } from "../../core/branding/contract.ts";
import { brandingCss } from "../../core/branding/css.ts";
import { findLogo, getBranding, type StoredLogo } from "../../core/branding/store.ts";
import { Problem } from "../../core/problem.ts";
import { type Found, ReadCache } from "../edge/cache.ts";
import type { AppEnv } from "../edge/context.ts";
import { sha256 } from "../edge/hash.ts";
import { answers, newRoutes, open } from "../edge/routes.ts";
import type { Services } from "../edge/services.ts";

type Sheet = { readonly css: string; readonly etag: string };
type Caches = { readonly sheets: ReadCache<Sheet>; readonly logos: ReadCache<StoredLogo> };

const SHEETS_KEPT = 2000;
/** A quarter of a megabyte each, at most. */
const LOGOS_KEPT = 64;

const caches = new WeakMap<Services, Caches>();

/** A drawing is looked at, and can do nothing where it is opened by itself. */
const LOGO_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

export const brandingFiles = newRoutes()
  .get(
    "/branding.css",
    open("The tenant's colours as CSS variables"),
    answers(200, null, "Variables for :root.", "text/css"),
    async (c) => {
      const sheet = await sheetOf(c);
      return revalidated(c, sheet.etag, sheet.css, { "content-type": "text/css; charset=utf-8" });
    },
  )
  .get(
    "/branding/logo",
    open("The tenant's logo"),
    answers(200, null, "The picture.", "image/*"),
    async (c) => {
      const logo = await logoOf(c);
      if (logo === undefined) throw new Problem("not_found", "no such file");
      return revalidated(c, `"${logo.digest}"`, logo.bytes, {
        "content-type": logo.type,
        "content-security-policy": LOGO_POLICY,
        "content-disposition": "inline",
      });
    },
  );

/** The tenant wears something else: this isolate reads it anew. */
export function forgetBranding(services: Services, tenantId: string): void {
  const { sheets, logos } = cachesOf(services);
  sheets.forget(tenantId);
  logos.forget(tenantId);
}

async function sheetOf(c: Context<AppEnv>): Promise<Sheet> {
  const { scope } = c.var;
  if (!c.var.tenant.flags.white_label) return PLAIN;
  const read = async () => sheet(await getBranding(scope));
  return (await kept(c, cachesOf(c.var.services).sheets, read)) ?? PLAIN;
}

function logoOf(c: Context<AppEnv>): Found<StoredLogo> {
  if (!c.var.tenant.flags.white_label) return undefined;
  return kept(c, cachesOf(c.var.services).logos, () => findLogo(c.var.scope));
}

function kept<V extends object>(
  c: Context<AppEnv>,
  cache: ReadCache<V>,
  read: () => Promise<V | undefined>,
): Found<V> {
  const { tenantId } = c.var.scope;
  return cache.get(tenantId, c.var.nowMs, read, (work) => c.executionCtx.waitUntil(work));
}

function sheet(branding: Branding): Sheet {
  const css = brandingCss(branding);
  return { css, etag: `"${sha256(css)}"` };
}

const PLAIN: Sheet = sheet({ name: null, light: {}, dark: {}, logo: null, revision: 1 });

/** The answer, or 304 for who has it. @source RFC 9110 §13.1.2, §15.4.5 */
function revalidated(
  c: Context<AppEnv>,
  etag: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>>,
): Response {
  const all = { ...headers, etag, "cache-control": "no-cache" };
  const known = (c.req.header("if-none-match") ?? "").split(",").map((tag) => tag.trim());
  const same = known.some((tag) => tag === "*" || tag.replace(/^W\//, "") === etag);
  return same
    ? new Response(null, { status: 304, headers: all })
    : new Response(body, { headers: all });
}

function cachesOf(services: Services): Caches {
  let found = caches.get(services);
  if (found === undefined) {
    const { credentialCacheMs } = services.config;
    found = {
      sheets: new ReadCache(credentialCacheMs, SHEETS_KEPT),
      logos: new ReadCache(credentialCacheMs, LOGOS_KEPT),
    };
    caches.set(services, found);
  }
  return found;
}
