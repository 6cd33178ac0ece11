/** The Worker: a request enters here and reads downwards. */
import { AgentRuntime } from "../durable-objects/agent-runtime/object.ts";

export { AgentRuntime };

export default {
  async fetch(): Promise<Response> {
    return new Response("berth");
  },
  async queue(): Promise<void> {},
} satisfies ExportedHandler<Env>;
