/** The product made ready through its public API: tenant, provider, agents, deployments. */
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { exchangeWith } from "../tools/exchange.ts";
import type { Server } from "./process.ts";

export type Tenant = {
  /** Kept over restarts: the port is part of the tenant's address. */
  readonly port: number;
  /** `bench.localhost:PORT` */
  readonly host: string;
  readonly key: string;
};

/** One exchange with the tenant's API. @throws Error when the status is another */
export type Api = (
  method: string,
  path: string,
  expected: number,
  body?: unknown,
) => Promise<unknown>;

/** Callers of the API at once while agents are made. */
const MAKERS = 8;
const POLL_MS = 20;

const Provisioned = z.object({ key: z.object({ secret: z.string() }) });
const MadeAgent = z.object({ id: z.string() });
const MadeVersion = z.object({ number: z.number() });
const MadeDeployment = z.object({ id: z.string(), status: z.string(), error: z.unknown() });

export async function prepareTenant(server: Server, modelUrl: string): Promise<Tenant> {
  const apex = `localhost:${server.port}`;
  const made = await platformOf(server)("POST", "/v1/tenants", 201, {
    slug: "bench",
    name: "Bench",
    admin: { email: "admin@bench.example", name: "Bench" },
    tier: "business",
  });
  const { key } = Provisioned.parse(made);
  const tenant = { port: server.port, host: `bench.${apex}`, key: key.secret };
  const api = apiOf(server, tenant.host, tenant.key);
  await api("POST", "/v1/providers", 201, { slug: "stub", kind: "openai", base_url: modelUrl });
  return tenant;
}

/** The API of the platform's host, with its key. */
export function platformOf(server: Server): Api {
  return apiOf(server, `localhost:${server.port}`, server.ready.platformKey ?? "");
}

export function agentHere(server: Server, tenant: Tenant) {
  const api = apiOf(server, tenant.host, tenant.key);
  const deploy = async (names: readonly string[]): Promise<void> => {
    const waiting = names.values();
    const maker = async (): Promise<void> => {
      for (const name of waiting) await makeAgent(api, name);
    };
    await Promise.all(Array.from({ length: MAKERS }, maker));
  };
  return { api, deploy };
}

function apiOf(server: Server, host: string, key: string): Api {
  const exchange = exchangeWith(server.port);
  return async (method, path, expected, body) => {
    const headers = { authorization: `Bearer ${key}` };
    const answer = await exchange(host, path, { method, headers, body });
    if (answer.status === expected) return answer.body;
    throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  };
}

async function makeAgent(api: Api, name: string): Promise<void> {
  const spec = {
    kind: "llm",
    instructions: "You answer in one short sentence.",
    model: `stub/${name.slice(name.indexOf("stub"))}`,
    limits: { requests_per_minute: 1_000_000 },
    ...(name.startsWith("recall-") && { memory: {} }),
  };
  const { id } = MadeAgent.parse(await api("POST", "/v1/agents", 201, { slug: name, name, spec }));
  const { number } = MadeVersion.parse(await api("POST", `/v1/agents/${id}/publish`, 201));
  const wanted = { version: number, environment: "prod" };
  const queued = await api("POST", `/v1/agents/${id}/deployments`, 202, wanted);
  let deployment = MadeDeployment.parse(queued);
  while (deployment.status !== "live") {
    if (deployment.status === "failed") throw new Error(JSON.stringify(deployment.error));
    await pause(POLL_MS);
    deployment = MadeDeployment.parse(await api("GET", `/v1/deployments/${deployment.id}`, 200));
  }
}
