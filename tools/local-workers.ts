/** What Miniflare is told: the Worker itself, its static files, and the wall around its calls. */
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import type { V4MiniflareOptions } from "miniflare";
import { loopbackDatabase } from "../core/db/neon-driver.ts";
import type { Bundle } from "./build.ts";
import type { Vars } from "./settings.ts";

/** Part of every object's identity on disk: never changes. */
export const WORKER = "berth";
/** The binding that migrations are for. */
export const DATABASE = "DB";
const ASSETS_WORKER = "berth-assets";
const EGRESS_WORKER = "berth-egress";
const TLS = { trustBrowserCas: true };
/** The network without workerd's filter, for the exact pairs of EGRESS_ALLOW. */
const INSIDE = { network: { allow: ["public", "private"], deny: [], tlsOptions: TLS } };

/** As `worker-options.ts` wrote it; only what is touched here is named. */
type BuiltOptions = {
  readonly compatibilityDate: string;
  readonly bindings: Vars;
  readonly assets?: { readonly binding?: string; readonly assetConfig?: object };
  readonly [option: string]: unknown;
};

type Workers = Extract<V4MiniflareOptions, { workers: unknown }>["workers"];

/**
 * Three Workers. Static files get one of their own because a Worker with assets is answered
 * through a router: with them bound as a service, requests reach our code directly.
 */
export function localWorkers(options: {
  readonly bundle: Bundle;
  readonly port: number;
  readonly vars: Vars;
  readonly egressAllow: readonly string[];
  /** Where the platform's own mail goes, if inside: the wall alone lets it through. */
  readonly mailAllow: readonly string[];
}): { readonly workers: Workers; readonly database: boolean } {
  const { bundle, port, vars, egressAllow, mailAllow } = options;
  const { assets, ...built }: BuiltOptions = JSON.parse(
    readFileSync(join(bundle.worker, "options.json"), "utf8"),
  );
  const { modulesRules: _rules, rootPath: _root, ...kept } = built;
  const binding = assets?.binding;
  const main = {
    ...kept,
    name: WORKER,
    modules: modulesOf(bundle.worker),
    modulesRoot: bundle.worker,
    bindings: { ...built.bindings, ...vars },
    serviceBindings: {
      ...(binding === undefined ? {} : { [binding]: ASSETS_WORKER }),
      // What the Worker's own rule has found to be an allowed pair need not pass the wall again
      // (durable-objects/network.ts): a call through it costs a fifth of a whole invocation.
      ...(egressAllow.length === 0 ? {} : { EGRESS_ALLOWED: INSIDE }),
    },
    outboundService: EGRESS_WORKER,
    unsafeDirectSockets: [{ host: "127.0.0.1", port }],
    stripCfConnectingIp: false,
  };
  // The store of a local Postgres is the Worker's own to reach; the rule before the wall keeps
  // tenants from it.
  const store = storeOf(vars["DATABASE_URL"]);
  const egress = egressWorker(built.compatibilityDate, [...egressAllow, ...store, ...mailAllow]);
  const files = assetsWorker(built.compatibilityDate, bundle.assets, assets?.assetConfig);
  return {
    workers: binding === undefined ? [main, egress] : [main, egress, files],
    database: DATABASE in Object(built["d1Databases"]),
  };
}

function storeOf(databaseUrl: string | undefined): readonly string[] {
  const pair = databaseUrl === undefined ? undefined : loopbackDatabase(databaseUrl);
  return pair === undefined ? [] : [pair];
}

const MODULE_TYPES: Readonly<Record<string, "ESModule" | "CompiledWasm" | "Text" | "Data">> = {
  ".js": "ESModule",
  ".mjs": "ESModule",
  ".wasm": "CompiledWasm",
  ".txt": "Text",
  ".html": "Text",
  ".sql": "Text",
  ".bin": "Data",
};

function modulesOf(folder: string) {
  const names = readdirSync(folder)
    .filter((name) => extname(name) in MODULE_TYPES)
    .sort((a, b) => Number(b === "main.js") - Number(a === "main.js"));
  return names.map((name) => ({
    type: MODULE_TYPES[extname(name)] ?? "Data",
    path: join(folder, name),
  }));
}

function assetsWorker(compatibilityDate: string, directory: string, assetConfig: object = {}) {
  return {
    name: ASSETS_WORKER,
    compatibilityDate,
    modules: true as const,
    script: "export default { fetch: () => new Response(null, { status: 404 }) };",
    assets: { directory, routerConfig: { has_user_worker: false }, assetConfig },
  };
}

/**
 * Every call the Worker makes goes through here (DECISIONS 34). The public network is reached
 * through workerd's own filter, which looks at the address it is about to connect to, so a name
 * that resolves to an inside address is refused however often it changes. Only the exact pairs of
 * EGRESS_ALLOW get the service without that filter. Nothing else exists: raw sockets have no
 * handler. (A service fixed to one address would say it more strictly, but workerd gives such a
 * service a third of the throughput.)
 */
function egressWorker(compatibilityDate: string, allow: readonly string[]) {
  return {
    name: EGRESS_WORKER,
    compatibilityDate,
    modules: true as const,
    // A Request's URL is already in its normal form: its origin is what stands before the path.
    script: `
      const ALLOW = new Set(${JSON.stringify(allow.flatMap(originsOf))});
      export default {
        fetch(request, env) {
          const { url } = request;
          const origin = url.slice(0, url.indexOf("/", 8));
          return (ALLOW.has(origin) ? env.ALLOWED : env.PUBLIC).fetch(request);
        },
      };`,
    serviceBindings: {
      PUBLIC: { network: { allow: ["public"], deny: [], tlsOptions: TLS } },
      ALLOWED: INSIDE,
    },
  };
}

/** `host:port` as it stands at the front of URLs, where a scheme's own port is left out. */
function originsOf(pair: string): readonly string[] {
  return [new URL(`http://${pair}`).origin, new URL(`https://${pair}`).origin];
}
