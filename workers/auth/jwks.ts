/** /.well-known/jwks.json — the public half of what we sign with; the same on every host. */
import { Hono } from "hono";
import { z } from "zod";
import { publicJwks } from "../../core/tokens/signer.ts";
import type { EdgeEnv } from "../edge/context.ts";
import { answers, open } from "../edge/routes.ts";

const KeySet = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string() })) });

export const wellKnown = new Hono<EdgeEnv>().get(
  "/jwks.json",
  open("Public keys of our tokens"),
  answers(200, KeySet, "The key set, as RFC 7517 has it."),
  (c) =>
    c.json(publicJwks(c.get("config").tokenKeys), 200, {
      "cache-control": "public, max-age=300",
    }),
);
