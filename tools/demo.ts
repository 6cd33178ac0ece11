/**
 * The demo: tenant `acme` with one agent, `support`, made through the public API and nothing else.
 * Every step finds what an earlier start made, so it may be cut short anywhere and run again.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { AgentSpec } from "../core/agents/spec.ts";
import { Invocation } from "../core/invocations/contract.ts";
import { exchangeWith } from "./exchange.ts";
import type { Exchange } from "./exchange.ts";

const TENANT = "acme";
const AGENT = "support";
const QUESTION = "How long do I have to send a jacket back?";

const SPEC = AgentSpec.parse({
  kind: "llm",
  model: "local/extract",
  instructions:
    "You help the customers of Harbour & Pine, a small shop for outdoor clothing. " +
    "Be friendly and brief, and say so when you do not know.",
  knowledge: [
    {
      title: "Returns",
      text: "You can send a jacket, or anything else you bought, back within 30 days for a full refund. The label is in the box and costs you nothing. Please send it unworn, with its tags on.",
    },
    {
      title: "Delivery",
      text: "Orders placed before 14:00 leave our warehouse the same day. Standard delivery takes two to three working days and is free above 60 euros; express delivery arrives the next working day for 12 euros.",
    },
    {
      title: "Opening hours",
      text: "The shop at Quay 4 is open Monday to Saturday from 10:00 to 18:30. On Sundays and public holidays it is closed.",
    },
    {
      title: "Repairs",
      text: "We repair zips, seams and buckles for as long as you own the piece. Repairs are free for two years; after that a zip costs 15 euros. A repair takes about ten days.",
    },
    {
      title: "Sizes",
      text: "Our jackets run slightly large. Between two sizes, take the smaller one. The size chart on each product page is measured on the garment itself.",
    },
  ],
  tools: [{ kind: "clock" }],
});

export type Demo = {
  /** The tenant's address, `http://acme.localhost:8787`. */
  readonly origin: string;
  readonly agentUrl: string;
  readonly key: string;
  readonly question: string;
  readonly answer: string;
};

/** Provision, deploy, ask once. @throws when the platform refuses what it should not */
export async function provisionDemo(options: {
  readonly port: number;
  /** Authority of the apex, such as `localhost:8787`. */
  readonly baseDomain: string;
  readonly platformKey: string;
  readonly stateDir: string;
}): Promise<Demo> {
  const exchange = exchangeWith(options.port);
  const key = keptKey(options.stateDir) ?? (await provisionTenant(exchange, options));
  const host = `${TENANT}.${options.baseDomain}`;
  const api = asTenant(exchange, host, key);
  const agent = await findOrCreateAgent(api);
  if (agent.live["prod"] === undefined) await deploy(api, agent.id);
  const invocation = Invocation.parse(
    await api("POST", `/a/${AGENT}/invoke`, 200, { input: QUESTION }),
  );
  const answer = invocation.output?.text ?? `(${invocation.error?.detail ?? invocation.status})`;
  const origin = `http://${host}`;
  return { origin, agentUrl: `${origin}/a/${AGENT}`, key, question: QUESTION, answer };
}

const DemoFile = z.object({ key: z.string() });
const Provisioned = z.object({ key: z.object({ secret: z.string() }) });
const AgentAnswer = z.object({ id: z.string(), live: z.record(z.string(), z.number()) });
const VersionAnswer = z.object({ number: z.number() });
const DeploymentAnswer = z.object({ id: z.string(), status: z.string(), error: z.unknown() });

function demoFile(stateDir: string): string {
  return join(stateDir, "demo.json");
}

function keptKey(stateDir: string): string | undefined {
  const file = demoFile(stateDir);
  return existsSync(file) ? DemoFile.parse(JSON.parse(readFileSync(file, "utf8"))).key : undefined;
}

async function provisionTenant(
  exchange: Exchange,
  options: {
    readonly baseDomain: string;
    readonly platformKey: string;
    readonly stateDir: string;
  },
): Promise<string> {
  const body = {
    slug: TENANT,
    name: "Acme",
    admin: { email: "admin@acme.example", name: "Ada Acme" },
    tier: "business",
  };
  const api = asTenant(exchange, options.baseDomain, options.platformKey);
  const { key } = Provisioned.parse(await api("POST", "/v1/tenants", 201, body));
  writeFileSync(demoFile(options.stateDir), `${JSON.stringify({ key: key.secret })}\n`, {
    mode: 0o600,
  });
  return key.secret;
}

type Api = (method: string, path: string, expected: number, body?: unknown) => Promise<unknown>;

function asTenant(exchange: Exchange, host: string, key: string): Api {
  return async (method, path, expected, body) => {
    const answer = await exchange(host, path, {
      method,
      headers: { authorization: `Bearer ${key}` },
      body,
    });
    if (answer.status === expected) return answer.body;
    throw new DemoRefused(method, path, answer.status, answer.body);
  };
}

/** The platform said no; `status` tells the demo whether it may go on. */
class DemoRefused extends Error {
  override readonly name = "DemoRefused";
  readonly status: number;
  constructor(method: string, path: string, status: number, body: unknown) {
    super(`${method} ${path} answered ${status}: ${JSON.stringify(body)}`);
    this.status = status;
  }
}

async function findOrCreateAgent(api: Api): Promise<z.infer<typeof AgentAnswer>> {
  try {
    return AgentAnswer.parse(await api("GET", `/v1/agents/${AGENT}`, 200));
  } catch (error) {
    if (!(error instanceof DemoRefused) || error.status !== 404) throw error;
  }
  const body = { slug: AGENT, name: "Support", description: "Answers customers.", spec: SPEC };
  return AgentAnswer.parse(await api("POST", "/v1/agents", 201, body));
}

/** Publish what the draft holds and wait until it is live in `prod`. */
async function deploy(api: Api, agentId: string): Promise<void> {
  const base = `/v1/agents/${agentId}`;
  const version = VersionAnswer.parse(await api("POST", `${base}/publish`, 201));
  const wanted = { version: version.number, environment: "prod" };
  let deployment = DeploymentAnswer.parse(await api("POST", `${base}/deployments`, 202, wanted));
  const path = `/v1/deployments/${deployment.id}`;
  while (deployment.status !== "live") {
    if (deployment.status === "failed") {
      throw new Error(`the demo could not be deployed: ${JSON.stringify(deployment.error)}`);
    }
    await pause(50);
    deployment = DeploymentAnswer.parse(await api("GET", path, 200));
  }
}
