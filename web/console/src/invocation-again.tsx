import { useState } from "react";
import type { Invocation, Step } from "../../../core/invocations/contract.ts";
import type { Replay } from "../../../core/replays/contract.ts";
import { ask, askJson, newIdempotencyKey } from "./api.ts";
import { Choice, Dialog, Field, Form, TextArea, textIn, useDoing } from "./form.tsx";
import { ProblemNote, sentence } from "./parts.tsx";
import { navigate } from "./route.ts";
import { askedIn } from "./turn.ts";
import type { May } from "./wire.ts";

type Props = { readonly of: Invocation; readonly steps: readonly Step[]; readonly may: May };

/** What can be done with an invocation: end it, or go on from it in one of four ways. */
export function Actions(props: Props & { readonly onChanged: () => void }) {
  const { of, may } = props;
  const doing = useDoing();
  const [replay, setReplay] = useState<Replay>();
  const [forking, setForking] = useState(false);
  // One key for as long as the buttons stand: pressing again after a lost answer makes one.
  const [key] = useState(newIdempotencyKey);
  const path = `/v1/invocations/${of.id}`;
  const post = (json: object = {}) =>
    ({ method: "POST", json, headers: { "idempotency-key": key } }) as const;
  const follow = async (verb: "retry" | "resume"): Promise<void> => {
    const made = await askJson<Invocation>(`${path}/${verb}`, post());
    navigate(`/console/invocations/${made.id}`);
  };
  const cancel = async (): Promise<void> => {
    await ask(`${path}/cancel`, post());
    props.onChanged();
  };
  const again = async (): Promise<void> =>
    setReplay(await askJson<Replay>(`${path}/replay`, { method: "POST", json: {} }));
  const act = (work: () => Promise<void>) => () => doing.run(work);
  const over = of.completed_at !== null;
  const broke = of.status === "failed" || of.status === "dead";
  return (
    <div className="actions">
      {may.write && !over ? (
        <button type="button" className="stop" aria-disabled={doing.busy} onClick={act(cancel)}>
          Cancel
        </button>
      ) : null}
      {may.write && broke ? (
        <button
          type="button"
          className="primary"
          aria-disabled={doing.busy}
          onClick={act(() => follow("resume"))}
        >
          Resume
        </button>
      ) : null}
      {may.write && over ? (
        <button type="button" aria-disabled={doing.busy} onClick={act(() => follow("retry"))}>
          Retry
        </button>
      ) : null}
      {may.write && over ? (
        <button type="button" onClick={() => setForking(true)}>
          Fork
        </button>
      ) : null}
      {over ? (
        <button type="button" aria-disabled={doing.busy} onClick={act(again)}>
          Replay
        </button>
      ) : null}
      {doing.problem ? <ProblemNote problem={doing.problem} /> : null}
      {replay ? <Verdict of={replay} /> : null}
      {forking ? <Fork {...props} onClose={() => setForking(false)} /> : null}
    </div>
  );
}

/** What came of executing it again over its journal. */
function Verdict({ of }: { readonly of: Replay }) {
  const { divergence, error } = of;
  return (
    <output className={`verdict is-${of.verdict}`}>
      {of.verdict === "equal" ? (
        <p>
          <strong>Equal.</strong> {of.steps.length === 1 ? "One step" : `${of.steps.length} steps`}{" "}
          made the same requests, and the output is the same to the byte.
        </p>
      ) : (
        <p>
          <strong>Diverged{divergence?.step ? ` at ${divergence.step}` : ""}.</strong>{" "}
          {sentence(divergence?.detail ?? error?.detail ?? "")}
          {divergence?.suspect ? ` What is stored of ${divergence.suspect} was changed.` : ""}
        </p>
      )}
    </output>
  );
}

/** Another run from here: what is left as it is, is as it was. */
function Fork({ of, steps, onClose }: Props & { readonly onClose: () => void }) {
  const doing = useDoing();
  const [key] = useState(newIdempotencyKey);
  const asked = askedIn(of.input);
  const tools = steps.filter(({ kind, state }) => kind === "tool" && state === "done");
  return (
    <Dialog title="Fork" onClose={onClose}>
      <Form
        doing={doing}
        submit="Run the fork"
        onCancel={onClose}
        onSubmit={async (form) => {
          const made = await askJson<Invocation>(`/v1/invocations/${of.id}/fork`, {
            method: "POST",
            json: forkIn(form, asked),
            headers: { "idempotency-key": key },
          });
          navigate(`/console/invocations/${made.id}`);
        }}
      >
        <Choice
          label="From"
          name="step"
          options={[
            ["", "the beginning"],
            ...steps.map(({ key: at, name }) => [at, `${at} (${name})`] as const),
          ]}
          hint="Steps before it are taken over and not paid for again."
        />
        <TextArea label="Input" name="input" rows={3} defaultValue={asked} doing={doing} />
        <div className="pair">
          <Field label="Model" name="model" placeholder="as it was" doing={doing} />
          <Field
            label="Version"
            name="version"
            type="number"
            min="1"
            placeholder={String(of.version)}
            doing={doing}
          />
        </div>
        <TextArea
          label="Instructions"
          name="instructions"
          rows={3}
          placeholder="as they were"
          doing={doing}
        />
        {tools.length === 0 ? null : (
          <>
            <Choice
              label="Another result of"
              name="tool"
              options={[["", "no tool"], ...tools.map((it) => [it.key, it.name] as const)]}
            />
            <TextArea
              label="Result"
              name="content"
              rows={2}
              pointer="/tool_results/0/content"
              doing={doing}
            />
          </>
        )}
      </Form>
    </Dialog>
  );
}

function forkIn(form: FormData, asked: string): object {
  const input = textIn(form, "input");
  const version = textIn(form, "version");
  const fields = { step: textIn(form, "step"), model: textIn(form, "model") };
  const tool = textIn(form, "tool");
  return {
    ...fields,
    instructions: textIn(form, "instructions"),
    ...(input === asked || input === undefined ? {} : { input }),
    ...(version === undefined ? {} : { version: Number(version) }),
    ...(tool === undefined
      ? {}
      : { tool_results: [{ step: tool, content: textIn(form, "content") ?? "" }] }),
  };
}
