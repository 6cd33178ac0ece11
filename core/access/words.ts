import { type Scope, SCOPES, TENANT_SCOPES } from "../principals/contract.ts";
import type { Permission } from "./contract.ts";

const WORDS: Readonly<Record<Scope, string>> = {
  "tenants:provision": "Provision tenants",
  "tenants:read": "See all tenants",
  "tenants:write": "Suspend, reactivate and change tenants",
  "tenants:erase": "Erase tenants",
  "tenant:read": "See the tenant, its tier, quotas and branding",
  "tenant:write": "Change the tenant, its flags and branding",
  "tenant:export": "Export the whole tenant",
  "tenant:erase": "Ask for the tenant to be erased",
  "hostnames:read": "See custom hostnames",
  "hostnames:write": "Add, verify and remove custom hostnames",
  "members:read": "See members and invitations",
  "members:write": "Invite, change and remove members",
  "roles:read": "See roles, who holds them, and why access is given or refused",
  "roles:write": "Make and change roles, assign them and take them away",
  "clients:read": "See app clients",
  "clients:write": "Make, change and remove app clients and their secrets",
  "issuers:read": "See outside issuers and sign-on connections",
  "issuers:write": "Trust, change and remove outside issuers",
  "keys:read": "See API keys and their use",
  "keys:write": "Create, change, rotate and revoke API keys",
  "keys:verify": "Ask whether an API key is good",
  "secrets:read": "See the names of secrets, never their values",
  "secrets:write": "Store, rotate and remove secrets",
  "audit:read": "See, verify and export the audit trail",
  "projects:read": "See projects",
  "projects:write": "Make, change and remove projects",
  "agents:read": "See agents, drafts and versions",
  "agents:write": "Make, change, publish and remove agents",
  "agents:invoke": "Talk to agents",
  "deployments:read": "See deployments and environments",
  "deployments:write": "Deploy versions",
  "invocations:read": "See what agents were asked and what they answered",
  "invocations:write": "Cancel invocations and run them again",
  "sessions:read": "See conversations",
  "providers:read": "See model providers, never their keys",
  "providers:write": "Add, change and remove model providers",
  "usage:read": "See what was used and what it cost",
  "limits:read": "See rate limits and what is used of them",
  "limits:write": "Set, change and remove rate limits",
  "budgets:read": "See budgets and what is spent of them",
  "budgets:write": "Set, change and remove budgets",
  "stops:read": "See which kill switches are thrown",
  "stops:write": "Throw kill switches and lift them",
  "external-agents:create": "Register external agents",
  "external-agents:read": "See external agents",
  "external-agents:update": "Change external agents",
  "external-agents:delete": "Remove external agents",
  "external-agents:invoke": "Call external agents",
};

/** Every scope that a tenant's roles can hold, with words. */
export function permissions(): readonly Permission[] {
  const held = new Set(TENANT_SCOPES);
  return SCOPES.filter((scope) => held.has(scope)).map((scope) => ({
    scope,
    description: WORDS[scope],
  }));
}
