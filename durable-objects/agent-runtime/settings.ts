import { createHash } from "node:crypto";
import { parseConfig, type Config } from "../../core/config.ts";
import { d1Platform } from "../../core/db/d1.ts";
import { neonTransaction } from "../../core/db/neon-driver.ts";
import { neonPlatform } from "../../core/db/neon.ts";
import type { PlatformScope } from "../../core/db/scope.ts";

const parsed = new WeakMap<object, Config>();

/** The isolate's configuration, parsed once for all objects in it. */
export function configOf(env: Env): Config {
  let config = parsed.get(env);
  if (!config) {
    config = parseConfig({ ...env }, "worker");
    parsed.set(env, config);
  }
  return config;
}

/** The control plane as this object reaches it: off the hot path only. */
export function platformOf(env: Env): PlatformScope {
  const { controlPlane, databaseUrl } = configOf(env);
  if (controlPlane === "d1" || databaseUrl === undefined) return d1Platform(env.DB);
  return neonPlatform(neonTransaction(databaseUrl), "berth_app");
}

/** SHA-256 as base64url. */
export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
