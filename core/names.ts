import { z } from "zod";

/**
 * What people call a thing: one line, no control characters, no lone surrogates, and nothing that
 * turns the reading direction of what stands beside it.
 */
export const Name = z
  .string()
  .min(1)
  .max(120)
  .regex(
    /^[^\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]+$/u,
    "one line of text without control characters",
  );

/** A few lines about a thing; tabs and line feeds are text, other control characters are not. */
export const Description = z
  .string()
  .max(2000)
  .regex(/^(?:[^\p{Cc}\p{Cs}]|[\t\n])*$/u, "text without control characters");

/** The part of an address that names a thing inside its tenant. Never looks like an id. */
export const Slug = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/, "expected a-z, 0-9 and inner dashes");

/** An id or a slug, as routes take them; which one it is shows in its form. */
export const IdOrSlug = z
  .string()
  .min(1)
  .max(80)
  .regex(/^[a-z0-9_-]+$/, "expected an id or a slug");
