import type { ContentPolicy } from "../../../../core/content/contract.ts";
import { ask } from "../api.ts";
import { Field, Form, textIn, useDoing } from "../form.tsx";
import { useLoad } from "../load.ts";
import { ProblemNote, Skeleton } from "../parts.tsx";

const CLASSES = [
  ["requests_days", "Requests", "Input, output, metadata and errors, and all of the others."],
  ["events_days", "Events", "The log that streams are read from."],
  ["journals_days", "Journals", "What steps were given and gave: what replays need."],
  ["usage_days", "Usage", "Records of use and cost."],
] as const;

/** How long what invocations hold is kept, and whether it is sealed. */
export function ContentSettings({ writes }: { readonly writes: boolean }) {
  const policy = useLoad<ContentPolicy>("/v1/tenant/content");
  const doing = useDoing();
  if (policy.problem) return <ProblemNote problem={policy.problem} onRetry={policy.reload} />;
  const { data } = policy;
  if (data === undefined) return <Skeleton lines={3} />;
  return (
    <Form
      key={data.revision}
      doing={doing}
      submit={writes ? "Save" : undefined}
      onSubmit={async (form) => {
        const retention = Object.fromEntries(
          CLASSES.map(([name]) => {
            const days = textIn(form, name);
            return [name, days === undefined ? null : Number(days)];
          }),
        );
        const json = { retention, sealing: form.get("sealing") === "on" };
        await ask("/v1/tenant/content", { method: "PATCH", json, revision: data.revision });
        policy.reload();
      }}
    >
      <h2>What is kept, and how long</h2>
      <p className="note">Days after an invocation's end. Empty: until it is erased.</p>
      {CLASSES.map(([name, label, hint]) => (
        <Field
          key={name}
          label={label}
          name={name}
          type="number"
          min="0"
          max="36500"
          hint={hint}
          pointer={`/retention/${name}`}
          defaultValue={data.retention[name] ?? ""}
          readOnly={!writes}
          doing={doing}
        />
      ))}
      <label className="check">
        <input type="checkbox" name="sealing" defaultChecked={data.sealing} disabled={!writes} />
        Seal content in the agents' own storage
      </label>
    </Form>
  );
}
