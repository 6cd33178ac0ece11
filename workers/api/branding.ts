/** /v1/branding — the name, colours and logo that the tenant's pages wear. */
import type { Context } from "hono";
import { Branding, LOGO_BYTES, PutBranding } from "../../core/branding/contract.ts";
import { logoOf, logoType } from "../../core/branding/logo.ts";
import { paletteFaults } from "../../core/branding/palette.ts";
import { getBranding, putBranding, putLogo, type StoredLogo } from "../../core/branding/store.ts";
import { Problem } from "../../core/problem.ts";
import { wholeBytes } from "../edge/body.ts";
import type { AppEnv, WithPrincipal } from "../edge/context.ts";
import { sha256 } from "../edge/hash.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { forgetBranding } from "../serve/branding.ts";
import { demandWholeTenant } from "./narrowing.ts";
import { AtRevision, etag } from "./parameters.ts";

const CHANGED = answers(200, Branding, "The branding as changed.");

export const branding = newRoutes()
  .get(
    "/",
    may("tenant:read", "What the tenant's pages wear"),
    answers(200, Branding, "Name, colours and what the logo is."),
    async (c) => {
      const found = await getBranding(c.get("scope"));
      return c.json(found, 200, etag(found.revision));
    },
  )
  .put(
    "/",
    may("tenant:write", "Set name and colours"),
    takes("header", AtRevision),
    takes("json", PutBranding),
    CHANGED,
    async (c) => {
      demandMayBrand(c);
      const wanted = c.req.valid("json");
      demandReadable(wanted);
      const { "if-match": revision } = c.req.valid("header");
      return changed(c, await putBranding(c.get("scope"), revision, wanted, c.get("nowMs")));
    },
  )
  .put(
    "/logo",
    may("tenant:write", "Set the logo: PNG, JPEG, WebP or SVG, 256 KiB at most"),
    takes("header", AtRevision),
    CHANGED,
    async (c) => {
      demandMayBrand(c);
      const logo = await sentLogo(c.req.raw);
      const { "if-match": revision } = c.req.valid("header");
      return changed(c, await putLogo(c.get("scope"), revision, logo, c.get("nowMs")));
    },
  )
  .delete(
    "/logo",
    may("tenant:write", "Take the logo off"),
    takes("header", AtRevision),
    CHANGED,
    async (c) => {
      demandMayBrand(c);
      const { "if-match": revision } = c.req.valid("header");
      return changed(c, await putLogo(c.get("scope"), revision, null, c.get("nowMs")));
    },
  );

type TenantContext = Context<AppEnv & WithPrincipal>;

/** @throws Problem `forbidden` */
function demandMayBrand(c: TenantContext): void {
  demandWholeTenant(c.get("principal"));
  if (c.get("tenant").flags.white_label) return;
  throw new Problem("forbidden", "the platform has switched white_label off");
}

/** @throws Problem `invalid` with the contrast that is missing */
function demandReadable({ light, dark }: PutBranding): void {
  const errors = [...paletteFaults("light", light), ...paletteFaults("dark", dark)];
  if (errors.length > 0) throw new Problem("invalid", "the colours cannot be read", { errors });
}

/** The body as a logo. @throws Problem `unsupported_media_type` | `too_large` | `invalid` */
async function sentLogo(request: Request): Promise<StoredLogo> {
  const type = logoType(request.headers.get("content-type"));
  if (type === undefined) {
    throw new Problem("unsupported_media_type", "send PNG, JPEG, WebP or SVG", {
      errors: [{ pointer: "content-type", detail: "must be the picture's own type" }],
    });
  }
  const logo = logoOf(type, await wholeBytes(request, LOGO_BYTES));
  if ("fault" in logo) {
    throw new Problem("invalid", "the logo cannot be used", {
      errors: [{ pointer: "", detail: logo.fault }],
    });
  }
  return { ...logo, digest: sha256(logo.bytes) };
}

function changed(c: TenantContext, found: Branding): Response {
  forgetBranding(c.get("services"), c.get("scope").tenantId);
  return c.json(found, 200, etag(found.revision));
}
