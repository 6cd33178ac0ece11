/** /.well-known/jwks.json — the public half of what we sign tokens with. */
import { z } from "zod";
import { publicJwks } from "../../core/tokens/signer.ts";
import { answers, newRoutes, open } from "../edge/routes.ts";

const KeySet = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string() })) });

export const wellKnown = newRoutes().get(
  "/jwks.json",
  open("Public keys of our tokens"),
  answers(200, KeySet, "The key set, as RFC 7517 has it."),
  (c) =>
    c.json(publicJwks(c.get("config").tokenKeys), 200, {
      "cache-control": "public, max-age=300",
    }),
);
