/** The servers of one run and how to reach them. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build, ROOT } from "../tools/build.ts";
import type { Bundle } from "../tools/build.ts";
import { bundleFloor } from "./floor/bundle.ts";
import type { Target } from "./load.ts";
import { agentHere, platformOf, prepareTenant } from "./product.ts";
import type { Api, Tenant } from "./product.ts";
import { startServer } from "./process.ts";
import type { Server } from "./process.ts";

/** What an agent is asked; the same words everywhere. */
export const INPUT = "hello there";

/** A server that answers `POST /a/{name}/invoke`. `name` ends in the stub's model: `a1-stub-50`. */
export type Contender = {
  readonly server: Server;
  readonly target: (name: string, options?: TargetOptions) => Target;
};

export type TargetOptions = {
  readonly headers?: Readonly<Record<string, string>>;
  readonly session?: () => string;
};

export type ServerOptions = {
  /** Opens the runtime's inspector there. */
  readonly inspectorPort?: number;
};

export type ProductOptions = ServerOptions & {
  /** Count rows, calls and queries: not while anything is timed. */
  readonly counting?: boolean;
};

export type Product = Contender & {
  readonly api: Api;
  readonly platform: Api;
  /** Make agents of these names live. */
  readonly deploy: (names: readonly string[]) => Promise<void>;
};

export class World {
  readonly stub: Server;
  readonly #folder: string;
  readonly #bundle: Bundle;
  readonly #floorBundle: string;
  readonly #vars: Readonly<Record<string, string>>;
  readonly #tenants = new Map<string, Tenant>();
  readonly #servers = new Set<Server>();

  private constructor(stub: Server, folder: string, bundle: Bundle, floorBundle: string) {
    this.stub = stub;
    this.#folder = folder;
    this.#bundle = bundle;
    this.#floorBundle = floorBundle;
    this.#vars = { EGRESS_ALLOW: `127.0.0.1:${stub.port}` };
  }

  /**
   * @param parent  Folder for the state of this run; removed by `close`.
   * @param worker  Folder of an earlier build to measure; absent: the sources as they are.
   */
  static async open(parent: string, log: (line: string) => void, worker?: string): Promise<World> {
    const assets = join(ROOT, "web", "console", "dist");
    const bundle = worker === undefined ? await build(log, { console: false }) : { worker, assets };
    mkdirSync(parent, { recursive: true });
    const folder = mkdtempSync(join(parent, "berth-bench-"));
    const floorBundle = await bundleFloor(folder);
    const stub = await startServer(join(ROOT, "bench", "stub.ts"));
    return new World(stub, folder, bundle, floorBundle);
  }

  get bundle(): Bundle {
    return this.#bundle;
  }

  get modelUrl(): string {
    return `http://127.0.0.1:${this.stub.port}/v1`;
  }

  /** The stub called without anything before it, as the floor calls it. */
  direct(model: string, stream = false): Target {
    const body = JSON.stringify({ model, messages: [{ role: "user", content: INPUT }], stream });
    return { port: this.stub.port, path: "/v1/chat/completions", body: () => body };
  }

  /** A second start with the same `state` finds what the first one left. */
  async floor(state: string, options: ServerOptions = {}): Promise<Contender> {
    const script = join(ROOT, "bench", "floor", "serve.ts");
    const stateDir = join(this.#folder, "floor", state);
    const bundle = this.#floorBundle;
    const { modelUrl } = this;
    const server = await this.#start(script, { stateDir, modelUrl, bundle, ...options });
    const body = JSON.stringify({ input: INPUT });
    return {
      server,
      target: (name, { headers = {} } = {}) => ({
        port: server.port,
        path: `/a/${name}/invoke`,
        headers,
        body: () => body,
      }),
    };
  }

  /** Where the platform of this state keeps its files. */
  stateOf(state: string): string {
    return join(this.#folder, "product", state);
  }

  /** The whole platform; its tenant and provider are made at the first start of a `state`. */
  async product(
    state: string,
    { counting = false, ...options }: ProductOptions = {},
  ): Promise<Product> {
    const known = this.#tenants.get(state);
    const server = await this.#start(join(ROOT, "tools", "serve.ts"), {
      stateDir: join(this.#folder, "product", state),
      vars: counting ? { ...this.#vars, BENCH_COUNTERS: "1" } : this.#vars,
      bundle: this.#bundle,
      console: false,
      ...options,
      ...(known === undefined ? {} : { port: known.port }),
    });
    const tenant = known ?? (await prepareTenant(server, this.modelUrl));
    this.#tenants.set(state, tenant);
    return productOn(server, tenant);
  }

  async #start(script: string, argument: object): Promise<Server> {
    const server = await startServer(script, argument);
    this.#servers.add(server);
    return server;
  }

  /** End what a measurement that broke off has left running. */
  async stopServers(): Promise<void> {
    await Promise.all([...this.#servers].map((server) => server.stop()));
    this.#servers.clear();
  }

  async close(): Promise<void> {
    await this.stopServers();
    await this.stub.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function productOn(server: Server, tenant: Tenant): Product {
  const agents = agentHere(server, tenant);
  return {
    server,
    platform: platformOf(server),
    ...agents,
    target: (name, { headers = {}, session } = {}) => ({
      port: server.port,
      host: tenant.host,
      path: `/a/${name}/invoke`,
      headers: { authorization: `Bearer ${tenant.key}`, ...headers },
      body:
        session === undefined
          ? () => JSON.stringify({ input: INPUT })
          : () => JSON.stringify({ input: INPUT, session_id: session() }),
    }),
  };
}
