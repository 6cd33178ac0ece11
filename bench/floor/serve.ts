/**
 * The floor on the server the product runs on (tools/local.ts): Miniflare, direct sockets, state
 * on disk, workerd bound to this process.
 *
 *     node bench/floor/serve.ts '{"port":0,"stateDir":"/tmp/floor","modelUrl":"http://127.0.0.1:1/v1"}'
 */
import { mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { endWith } from "../../tools/lifeline.ts";
import { bundleFloor } from "./bundle.ts";

type Options = {
  readonly stateDir: string;
  readonly modelUrl: string;
  readonly inspectorPort?: number;
  /** Made here when absent; a measured start brings one, as the product's does. */
  readonly bundle?: string;
};

const ROOT = join(import.meta.dirname, "..", "..");

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const address = server.address();
  await new Promise<void>((closed) => server.close(() => closed()));
  return typeof address === "object" && address !== null ? address.port : 0;
}

function workerdPath(): string {
  const fromMiniflare = createRequire(createRequire(import.meta.url).resolve("miniflare"));
  const found: { readonly default: string } = fromMiniflare("workerd");
  return found.default;
}

const options: Options = JSON.parse(process.argv[2] ?? "{}");
const bundle = options.bundle ?? (await bundleFloor(options.stateDir));
const port = await freePort();
mkdirSync(options.stateDir, { recursive: true });
const pidFile = join(options.stateDir, "workerd.pid");
process.env["MINIFLARE_WORKERD_PATH"] = join(ROOT, "tools", "workerd.sh");
const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: 0,
    cf: false,
    log: new Log(LogLevel.NONE),
    logRequests: false,
    resourcePersistencePath: join(options.stateDir, "state"),
    unsafeRuntimeEnv: { BERTH_WORKERD: workerdPath(), BERTH_WORKERD_PID_FILE: pidFile },
    ...(options.inspectorPort === undefined ? {} : { inspectorPort: options.inspectorPort }),
    workers: [
      {
        name: "floor",
        compatibilityDate: "2026-10-20",
        modulesRoot: dirname(bundle),
        modules: [{ type: "ESModule", path: bundle }],
        durableObjects: { FLOOR: { className: "Floor", useSQLite: true } },
        bindings: { MODEL_URL: options.modelUrl },
        serviceBindings: { NETWORK: { network: { allow: ["public", "private"], deny: [] } } },
        unsafeDirectSockets: [{ host: "127.0.0.1", port }],
        stripCfConnectingIp: false,
      },
    ],
  }),
);
await miniflare.ready;
endWith(() => miniflare.dispose());
const workerdPid = Number(readFileSync(pidFile, "utf8"));
process.stdout.write(`${JSON.stringify({ port, workerdPid })}\n`);
