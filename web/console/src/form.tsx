import {
  useEffect,
  useId,
  useRef,
  useState,
  type InputHTMLAttributes,
  type ReactNode,
  type SubmitEvent,
  type TextareaHTMLAttributes,
} from "react";
import type { ApiProblem } from "./api.ts";
import { asProblem } from "./load.ts";
import { CopyButton, ProblemNote, sentence } from "./parts.tsx";

/** Something that is asked of the server by a press, and what came of it. */
export type Doing = {
  readonly busy: boolean;
  readonly problem: ApiProblem | undefined;
  /** Begin; a second press while it lasts does nothing. */
  run(work: () => Promise<void>): void;
  clear(): void;
};

export function useDoing(): Doing {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiProblem>();
  const running = useRef(false);
  const run = (work: () => Promise<void>): void => {
    if (running.current) return;
    running.current = true;
    setBusy(true);
    setProblem(undefined);
    work()
      .catch((e: unknown) => setProblem(asProblem(e)))
      .finally(() => {
        running.current = false;
        setBusy(false);
      });
  };
  return { busy, problem, run, clear: () => setProblem(undefined) };
}

/** What a problem says of one place of the body; "" when nothing. */
function faultAt(problem: ApiProblem | undefined, pointer: string): string {
  const found = problem?.document.errors?.find((error) => error.pointer === pointer);
  return found === undefined ? "" : sentence(found.detail);
}

type Other = { readonly action: string; readonly label: string; readonly danger?: boolean };

/**
 * A form that is submitted by Enter or its button. Fields are uncontrolled: what is typed, secrets
 * too, stands in the input alone; `onSubmit` reads it.
 */
export function Form(props: {
  readonly doing: Doing;
  /** Absent: nothing can be sent, what is there is only to be seen. */
  readonly submit: string | undefined;
  readonly className?: string;
  readonly danger?: boolean;
  readonly onSubmit: (form: FormData, element: HTMLFormElement) => Promise<void>;
  readonly onCancel?: () => void;
  /** Other things to do with what is filled in: `onSubmit` finds the one that was pressed as `action`. */
  readonly others?: readonly Other[];
  readonly children: ReactNode;
}) {
  const { doing, onSubmit, onCancel, others = [] } = props;
  const submit = (e: SubmitEvent<HTMLFormElement>) => {
    e.preventDefault();
    const element = e.currentTarget;
    const form = new FormData(element, e.nativeEvent.submitter);
    doing.run(() => onSubmit(form, element));
  };
  return (
    <form className={props.className ?? "form"} onSubmit={submit} noValidate={false}>
      {props.children}
      {doing.problem ? <ProblemNote problem={doing.problem} /> : null}
      <div className="actions">
        {props.submit === undefined ? null : (
          <button
            type="submit"
            className={props.danger ? "stop" : "primary"}
            aria-disabled={doing.busy}
          >
            {doing.busy ? "Working…" : props.submit}
          </button>
        )}
        {others.map((other) => (
          <button
            key={other.action}
            type="submit"
            name="action"
            value={other.action}
            className={other.danger ? "stop" : undefined}
            formNoValidate
            aria-disabled={doing.busy}
          >
            {other.label}
          </button>
        ))}
        {onCancel ? (
          <button type="button" onClick={onCancel}>
            Cancel
          </button>
        ) : null}
      </div>
    </form>
  );
}

/** A named input with its hint and what the server found wrong with it. */
export function Field(
  props: {
    readonly label: string;
    readonly name: string;
    readonly hint?: ReactNode;
    readonly doing?: Doing;
    /** Where the body has it; `/name` unless said. */
    readonly pointer?: string;
    /** Takes the focus when it appears: a form that was asked for begins there. */
    readonly focused?: boolean;
  } & Omit<InputHTMLAttributes<HTMLInputElement>, "name">,
) {
  const { label, name, hint, doing, pointer = `/${name}`, focused = false, ...input } = props;
  const id = useId();
  const element = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (focused) element.current?.focus();
  }, [focused]);
  const fault = faultAt(doing?.problem, pointer);
  const described = [hint ? `${id}-hint` : "", fault ? `${id}-fault` : ""]
    .filter(Boolean)
    .join(" ");
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        ref={element}
        name={name}
        aria-describedby={described === "" ? undefined : described}
        aria-invalid={fault !== ""}
        {...input}
      />
      {hint ? (
        <p className="note" id={`${id}-hint`}>
          {hint}
        </p>
      ) : null}
      {fault ? (
        <p className="fault" id={`${id}-fault`}>
          {fault}
        </p>
      ) : null}
    </div>
  );
}

/** A named field of several lines. */
export function TextArea(
  props: {
    readonly label: string;
    readonly name: string;
    readonly hint?: ReactNode;
    readonly doing?: Doing;
    readonly pointer?: string;
  } & Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, "name">,
) {
  const { label, name, hint, doing, pointer = `/${name}`, ...area } = props;
  const id = useId();
  const fault = faultAt(doing?.problem, pointer);
  const described = [hint ? `${id}-hint` : "", fault ? `${id}-fault` : ""]
    .filter(Boolean)
    .join(" ");
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <textarea
        id={id}
        name={name}
        aria-describedby={described === "" ? undefined : described}
        aria-invalid={fault !== ""}
        {...area}
      />
      {hint ? (
        <p className="note" id={`${id}-hint`}>
          {hint}
        </p>
      ) : null}
      {fault ? (
        <p className="fault" id={`${id}-fault`}>
          {fault}
        </p>
      ) : null}
    </div>
  );
}

/** One of several, by name. */
export function Choice(props: {
  readonly label: string;
  readonly name: string;
  readonly options: readonly (readonly [value: string, shown: string])[];
  readonly value?: string;
  readonly hint?: ReactNode;
  readonly onChange?: (value: string) => void;
}) {
  const id = useId();
  const { onChange } = props;
  return (
    <div className="field">
      <label htmlFor={id}>{props.label}</label>
      <select
        id={id}
        name={props.name}
        defaultValue={props.value}
        onChange={onChange && ((e) => onChange(e.target.value))}
      >
        {props.options.map(([value, shown]) => (
          <option key={value} value={value}>
            {shown}
          </option>
        ))}
      </select>
      {props.hint ? <p className="note">{props.hint}</p> : null}
    </div>
  );
}

/** A text field's value, trimmed; undefined when empty, so that it can be left out of a body. */
export function textIn(form: FormData, name: string): string | undefined {
  const value = form.get(name);
  const text = typeof value === "string" ? value.trim() : "";
  return text === "" ? undefined : text;
}

/** A dialog over the page: keyboard stays in it, Escape closes it. */
export function Dialog(props: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const { onClose } = props;
  useEffect(() => {
    // Taken out of the page it is closed, silently: closing it here would be heard as the user's.
    if (dialog.current?.open === false) dialog.current.showModal();
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={heading} onClose={onClose}>
      <h2 id={heading}>{props.title}</h2>
      {props.children}
    </dialog>
  );
}

/** Asks before something that cannot be taken back. */
export function Confirm(props: {
  readonly title: string;
  readonly action: string;
  readonly children: ReactNode;
  readonly onClose: () => void;
  readonly onConfirm: () => Promise<void>;
}) {
  const doing = useDoing();
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <Form
        doing={doing}
        submit={props.action}
        danger
        onCancel={props.onClose}
        onSubmit={async () => {
          await props.onConfirm();
          props.onClose();
        }}
      >
        {props.children}
      </Form>
    </Dialog>
  );
}

/** A secret the server tells this one time. It is in the page alone and goes with the dialog. */
export function SecretOnce(props: {
  readonly title: string;
  readonly secret: string;
  readonly note?: ReactNode;
  readonly onClose: () => void;
}) {
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <p>Copy it now: it is not shown again.</p>
      <p className="once">
        <code>{props.secret}</code>
        <CopyButton text={props.secret} label="Copy the secret" />
      </p>
      {props.note ? <p className="note">{props.note}</p> : null}
      <div className="actions">
        <button type="button" className="primary" onClick={props.onClose}>
          I have copied it
        </button>
      </div>
    </Dialog>
  );
}
