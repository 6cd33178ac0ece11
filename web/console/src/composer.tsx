import { useEffect, useRef, type KeyboardEvent, type SubmitEvent } from "react";

/** The place to write, focused when it appears: Enter sends, Shift+Enter breaks the line, Escape stops a running answer. */
export function Composer(props: {
  readonly agentName: string;
  /** Why nothing can be sent. */
  readonly refusal: string | undefined;
  readonly busy: boolean;
  readonly onSend: (text: string) => void;
  /** Absent when the key may not stop what it began. */
  readonly onStop: (() => void) | undefined;
}) {
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus({ preventScroll: true }), []);

  const send = () => {
    const text = field.current?.value.trim() ?? "";
    if (field.current === null || text === "" || props.busy || props.refusal !== undefined) return;
    field.current.value = "";
    props.onSend(text);
  };
  const submit = (e: SubmitEvent) => {
    e.preventDefault();
    send();
    field.current?.focus();
  };
  const press = (e: KeyboardEvent) => {
    if (e.key === "Escape" && props.busy) props.onStop?.();
    // While an input method composes, Enter accepts its suggestion.
    if (e.key !== "Enter" || e.shiftKey || e.nativeEvent.isComposing) return;
    e.preventDefault();
    send();
  };
  const stop = () => {
    props.onStop?.();
    field.current?.focus();
  };
  return (
    <form className="composer" onSubmit={submit}>
      <label htmlFor="message" className="sr-only">
        Message to {props.agentName}
      </label>
      <div className="field">
        <textarea
          id="message"
          ref={field}
          rows={1}
          placeholder={props.refusal ?? `Message ${props.agentName}`}
          aria-describedby="message-keys"
          disabled={props.refusal !== undefined}
          onKeyDown={press}
        />
        {props.busy && props.onStop ? (
          <button type="button" className="stop" onClick={stop}>
            Stop
          </button>
        ) : (
          <button
            type="submit"
            className="primary"
            disabled={props.refusal !== undefined}
            aria-disabled={props.busy}
          >
            Send
          </button>
        )}
      </div>
      <p id="message-keys" className="keys">
        <kbd>Enter</kbd> sends, <kbd>Shift</kbd> <kbd>Enter</kbd> breaks the line, <kbd>Esc</kbd>{" "}
        stops
      </p>
    </form>
  );
}
