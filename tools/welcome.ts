import type { Demo } from "./demo.ts";

/** What a newcomer reads: where everything is, a first answer, and three lines to copy. */
export function welcome({ origin, agentUrl, key, question, answer }: Demo): string {
  const invoke = `${agentUrl}/invoke -H 'authorization: Bearer ${key}' -H 'content-type: application/json'`;
  return `
Berth is running. Ctrl-C stops it; npm run reset forgets everything.

  Console   ${origin}/
  Agent     ${agentUrl}
  API       ${origin}/docs
  API key   ${key}

  Asked     ${question}
  Answered  ${answer.replaceAll("\n", "\n            ")}

Ask it yourself:

curl -s ${invoke} -d '{"input":"When is the shop open?"}'
curl -sN ${invoke} -H 'accept: text/event-stream' -d '{"input":"What does a repair cost?"}'
${process.platform === "darwin" ? "open" : "xdg-open"} ${origin}/
`;
}
