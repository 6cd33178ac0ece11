import { prettyText } from "./format.ts";
import { sentence } from "./parts.tsx";

type Call = { readonly id: string; readonly name: string; readonly arguments: string };

/** What the journal keeps of a finished step, by what kind of outcome it was. */
type Outcome = {
  readonly answer?: { readonly text?: string; readonly toolCalls?: readonly Call[] };
  readonly result?: { readonly content?: string };
  readonly failure?: { readonly detail?: string };
};

/** A step's outcome as what it says, not as the JSON around it. */
export function StepOutput({ output }: { readonly output: unknown }) {
  // The journal's own form, which `Step` leaves open; whatever is not one of these shows as JSON.
  const { answer, result, failure } = (output ?? {}) as Outcome;
  if (failure?.detail !== undefined) return <p className="failure">{sentence(failure.detail)}</p>;
  if (result?.content !== undefined) return <pre>{prettyText(result.content)}</pre>;
  if (answer?.text === undefined) return <pre>{prettyText(output)}</pre>;
  return (
    <>
      {answer.text === "" ? null : <pre>{answer.text}</pre>}
      {answer.toolCalls?.map((call) => (
        <pre key={call.id}>
          {call.name} {prettyText(call.arguments)}
        </pre>
      ))}
    </>
  );
}
