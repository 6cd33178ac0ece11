import { DurableObject } from "cloudflare:workers";

export class AgentRuntime extends DurableObject<Env> {}
