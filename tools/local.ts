/**
 * The whole platform on one machine: Miniflare on the built bundle, state on disk.
 *
 * L1  One folder holds all state; one server at a time holds it.
 * L2  Whatever ends this process, a kill -9 included, ends workerd (tools/workerd.sh).
 * L3  `scheduled` is called at start and every minute: cron does not fire by itself here. The queue
 *     is empty at start, so that first call sends all that is owed again.
 * L4  Requests go straight to workerd; this process is not in their way.
 */
import { randomBytes } from "node:crypto";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { parseConfig } from "../core/config.ts";
import type { ServerConfig } from "../core/config.ts";
import { AT_START, EVERY_MINUTE } from "../workers/jobs/cron.ts";
import { build, ROOT } from "./build.ts";
import type { Bundle } from "./build.ts";
import { DATABASE, localWorkers, WORKER } from "./local-workers.ts";
import { hasCode } from "./lock.ts";
import { type MailCatcher, startMailCatcher } from "./mail-catcher.ts";
import { isStamped, migrate, putStamp } from "./migrate.ts";
import { keptKeys } from "./settings.ts";
import type { Vars } from "./settings.ts";
import { holdState, openState, releaseState } from "./state.ts";

const CRON_MS = 60_000;
const MIGRATIONS = join(ROOT, "migrations", "d1");

export type LocalOptions = {
  /** 0 takes any free port. */
  readonly port?: number;
  /** Default `.berth` in the project's folder. */
  readonly stateDir?: string;
  /** Settings of `core/config.ts`; those absent get local defaults. */
  readonly vars?: Vars;
  /** Default: the project's own, built when a source has changed. */
  readonly bundle?: Bundle;
  /** False: do not build the console first. */
  readonly console?: boolean;
  readonly log?: (line: string) => void;
  /** Opens the runtime's inspector there, for profiles. */
  readonly inspectorPort?: number;
};

export type Local = {
  /** `http://127.0.0.1:<port>`; tenants are reached here with their own Host header. */
  readonly url: string;
  readonly port: number;
  /** With the keys that were made, as the Worker has them. */
  readonly vars: Vars;
  readonly workerdPid: number;
  stop(): Promise<void>;
  /** Kill -9 of workerd, nothing finished first. */
  kill(): Promise<void>;
  /** What cron does each minute, now. */
  runScheduled(): Promise<void>;
};

/** @throws ConfigError, StateError, PortTaken */
export async function startLocal(options: LocalOptions = {}): Promise<Local> {
  const log = options.log ?? (() => {});
  const port = options.port === 0 ? await freePort() : (options.port ?? 8787);
  const stateDir = resolve(ROOT, options.stateDir ?? ".berth");
  const given = { BASE_DOMAIN: `localhost:${port}`, CONTROL_PLANE: "d1", ...options.vars };
  const config = parseConfig({ ...given, PORT: String(port), STATE_DIR: stateDir }, "server");
  await refuseTakenPort(port);
  openState(stateDir);
  const bundle = options.bundle ?? (await build(log, { console: options.console ?? true }));
  holdState(stateDir);
  // Miniflare ends the process itself on a signal: only `exit` is sure to be heard.
  process.once("exit", () => releaseState(stateDir));
  const mail = config.mail === undefined ? await catchMail(stateDir, log) : undefined;
  const vars = { ...keptKeys(stateDir), ...mail?.vars, ...given };
  try {
    const { inspectorPort } = options;
    return await start({ port, stateDir, vars, config, bundle, log, inspectorPort, mail });
  } catch (error) {
    await mail?.catcher.close();
    releaseState(stateDir);
    if (hasCode(error, "ERR_ADDRESS_IN_USE")) throw new PortTaken(port);
    throw error;
  }
}

type CaughtMail = { readonly catcher: MailCatcher; readonly vars: Vars };

/** Nobody gave a mail API: one of our own, in this process, which writes files. */
async function catchMail(stateDir: string, log: (line: string) => void): Promise<CaughtMail> {
  const key = randomBytes(24).toString("base64url");
  const catcher = await startMailCatcher({ dir: join(stateDir, "mail"), key, log });
  const vars = { MAIL_API_URL: catcher.url, MAIL_API_KEY: key, MAIL_FROM: "berth@localhost" };
  return { catcher, vars };
}

export class PortTaken extends Error {
  override readonly name = "PortTaken";
  constructor(port: number) {
    super(`Port ${port} is in use; choose another with PORT=<number>.`);
  }
}

async function start(server: {
  readonly port: number;
  readonly stateDir: string;
  readonly vars: Vars;
  readonly config: ServerConfig;
  readonly bundle: Bundle;
  readonly log: (line: string) => void;
  readonly inspectorPort: number | undefined;
  readonly mail: CaughtMail | undefined;
}): Promise<Local> {
  const { port, stateDir, vars, config, bundle, log, inspectorPort, mail } = server;
  const pidFile = join(stateDir, "workerd.pid");
  const { egressAllow } = config;
  // The wall lets the mail through; the rule that tenants' calls meet knows nothing of it.
  const mailAt = config.mail?.url ?? mail?.catcher.url;
  const walled = { egressAllow, mailAllow: mailAt === undefined ? [] : insidePairs(mailAt) };
  const { workers, database } = localWorkers({ bundle, port, vars, ...walled });
  superviseWorkerd();
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new LineLog(log),
      logRequests: false,
      ...(inspectorPort === undefined ? {} : { inspectorPort }),
      handleStructuredLogs: ({ level, message }) => log(`${level}: ${message}`),
      resourcePersistencePath: join(stateDir, "state"),
      unsafeRuntimeEnv: { BERTH_WORKERD: workerdPath(), BERTH_WORKERD_PID_FILE: pidFile },
      workers,
    }),
  );
  try {
    await miniflare.ready;
    const stamp = join(stateDir, "migrated.json");
    if (database && !(await isStamped(stamp, MIGRATIONS))) {
      const db = await miniflare.getD1Database(DATABASE, WORKER);
      for (const name of await migrate(db, MIGRATIONS)) log(`migrated: ${name}`);
      await putStamp(stamp, MIGRATIONS);
    }
  } catch (error) {
    await miniflare.dispose();
    throw error;
  }
  return running(miniflare, { port, stateDir, vars, log, pidFile, mail });
}

/** `host:port` of an address that may be inside; what https names is public. */
function insidePairs(address: string): readonly string[] {
  const { hostname, port, protocol } = new URL(address);
  return protocol === "http:" ? [`${hostname}:${port || "80"}`] : [];
}

function running(
  miniflare: Miniflare,
  server: {
    readonly port: number;
    readonly stateDir: string;
    readonly vars: Vars;
    readonly log: (line: string) => void;
    readonly pidFile: string;
    readonly mail: CaughtMail | undefined;
  },
): Local {
  const workerdPid = Number(readFileSync(server.pidFile, "utf8"));
  const runScheduled = async (cron = EVERY_MINUTE): Promise<void> => {
    const worker = await miniflare.getWorker(WORKER);
    await worker.scheduled({ cron, scheduledTime: new Date() });
  };
  let stopped: Promise<void> | undefined;
  const beat = (cron?: string): void => {
    runScheduled(cron).catch((error: unknown) => {
      if (stopped === undefined) server.log(`error: scheduled: ${String(error)}`);
    });
  };
  beat(AT_START); // L3
  const timer = setInterval(() => beat(), CRON_MS);
  const stop = (): Promise<void> => {
    clearInterval(timer);
    stopped ??= miniflare
      .dispose()
      .then(() => server.mail?.catcher.close())
      .finally(() => releaseState(server.stateDir));
    return stopped;
  };
  const kill = (): Promise<void> => {
    const done = stopped ?? (process.kill(workerdPid, "SIGKILL"), stop());
    return done;
  };
  const url = `http://127.0.0.1:${server.port}`;
  return {
    url,
    port: server.port,
    vars: server.vars,
    workerdPid,
    stop,
    kill,
    runScheduled: () => runScheduled(),
  };
}

/** Miniflare's own words, to one sink instead of the console. */
class LineLog extends Log {
  readonly #sink: (line: string) => void;
  constructor(sink: (line: string) => void) {
    super(LogLevel.WARN);
    this.#sink = sink;
  }
  protected override log(message: string): void {
    this.#sink(message);
  }
}

/** L2; Miniflare reads the variable each time it starts workerd. */
function superviseWorkerd(): void {
  process.env["MINIFLARE_WORKERD_PATH"] = join(ROOT, "tools", "workerd.sh");
}

function workerdPath(): string {
  const fromMiniflare = createRequire(createRequire(import.meta.url).resolve("miniflare"));
  const found: { readonly default: string } = fromMiniflare("workerd");
  return found.default;
}

/** A port nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const address = server.address();
  await new Promise<void>((closed) => server.close(() => closed()));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** workerd takes a second to find out and says it in its own words. @throws PortTaken */
async function refuseTakenPort(port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((free, reject) => {
    server.once("error", (error) => {
      reject(hasCode(error, "EADDRINUSE") ? new PortTaken(port) : error);
    });
    server.listen(port, "127.0.0.1", () => server.close(() => free()));
  });
}
