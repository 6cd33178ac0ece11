/** The Worker: a request enters here and reads downwards. */
import { AgentRuntime } from "../durable-objects/agent-runtime/object.ts";
import { TenantGate } from "../durable-objects/tenant-gate/object.ts";
import { app } from "./app.ts";
import { servedCounting } from "./serve/counters.ts";
import { servicesOf } from "./edge/services.ts";
import { consume } from "./jobs/queues.ts";
import { sweep } from "./jobs/sweep.ts";

export { AgentRuntime, TenantGate };

export default {
  fetch: servedCounting(app.fetch, (env) => servicesOf(env).config.benchCounters),
  queue: consume,
  scheduled: sweep,
} satisfies ExportedHandler<Env>;
