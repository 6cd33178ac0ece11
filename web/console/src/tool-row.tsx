import { prettyText } from "./format.ts";
import type { ToolUse } from "./said.ts";

/** One tool call: its name and outcome in a line, what went in and came out on opening it. */
export function ToolRow({ use, running }: { readonly use: ToolUse; readonly running: boolean }) {
  const state = stateOf(use, running);
  return (
    <details className="tool">
      <summary>
        <span className="label">Tool</span>
        <span className="name">{use.name}</span>
        <span className={`outcome is-${state}`}>{state}</span>
      </summary>
      <dl>
        <dt>Arguments</dt>
        <dd>
          <pre>{prettyText(use.arguments)}</pre>
        </dd>
        {use.result === null ? null : (
          <>
            <dt>{use.result.isError ? "Error" : "Result"}</dt>
            <dd>
              <pre>{prettyText(use.result.content)}</pre>
            </dd>
          </>
        )}
      </dl>
    </details>
  );
}

function stateOf({ result }: ToolUse, running: boolean): string {
  if (result === null) return running ? "running" : "unfinished";
  return result.isError ? "failed" : "returned";
}
