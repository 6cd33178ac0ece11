/** The roles every tenant has. What they hold is code: a new scope reaches them with a release. */
import { type BuiltInRole, BUILT_IN_ROLES, type Role } from "./contract.ts";

type Definition = {
  readonly name: string;
  readonly description: string;
  readonly scopes: readonly string[];
};

const SEES = [
  "tenant:read",
  "projects:read",
  "agents:read",
  "deployments:read",
  "providers:read",
  "usage:read",
  "limits:read",
  "budgets:read",
  "stops:read",
  "external-agents:read",
];
const RUNS = [
  "invocations:read",
  "invocations:write",
  "sessions:read",
  "memories:*",
  "knowledge:*",
  "approvals:read",
  "schedules:*",
];

const DEFINITIONS: Readonly<Record<BuiltInRole, Definition>> = {
  admin: {
    name: "Administrator",
    description: "Everything in the tenant, people and their roles included.",
    scopes: ["*"],
  },
  developer: {
    name: "Developer",
    description: "Makes agents, deploys and runs them.",
    scopes: [...SEES, "agents:*", "deployments:*", ...RUNS, "secrets:read", "external-agents:*"],
  },
  operator: {
    name: "Operator",
    description: "Keeps agents running: deployments, providers, secrets, keys, hostnames.",
    scopes: [
      ...SEES,
      "agents:invoke",
      "deployments:*",
      ...RUNS,
      "approvals:decide",
      "providers:*",
      "secrets:*",
      "keys:*",
      "hostnames:*",
      "limits:*",
      "budgets:*",
      "stops:*",
      "audit:read",
      "external-agents:invoke",
    ],
  },
  viewer: {
    name: "Viewer",
    description: "Sees what is there and what was done with it; changes nothing.",
    scopes: [
      ...SEES,
      "invocations:read",
      "sessions:read",
      "memories:read",
      "knowledge:read",
      "approvals:read",
      "schedules:read",
      "members:read",
      "roles:read",
    ],
  },
  auditor: {
    name: "Auditor",
    description: "Sees who may do what and who did it; not what was said.",
    scopes: [
      ...SEES,
      "audit:read",
      "members:read",
      "roles:read",
      "clients:read",
      "issuers:read",
      "keys:read",
      "hostnames:read",
      "secrets:read",
    ],
  },
  invoker: {
    name: "Invoker",
    description: "Talks to agents and nothing else.",
    scopes: ["agents:invoke", "external-agents:invoke"],
  },
};

/** The built-in role of that slug; undefined when it is none. */
export function builtIn(slug: string): Role | undefined {
  const known = BUILT_IN_ROLES.find((name) => name === slug);
  return known === undefined ? undefined : roleOf(known);
}

/** All of them, most powerful first. */
export function builtInRoles(): readonly Role[] {
  return BUILT_IN_ROLES.map(roleOf);
}

function roleOf(slug: BuiltInRole): Role {
  const { name, description, scopes } = DEFINITIONS[slug];
  return {
    id: slug,
    slug,
    name,
    description,
    built_in: true,
    statements: [{ effect: "allow", scopes: [...new Set(scopes)] }],
    revision: 0,
    created_at: null,
    updated_at: null,
  };
}
