import { useEffect, useRef, useState, type SubmitEvent } from "react";
import { ask, type ApiProblem } from "./api.ts";
import { asProblem } from "./load.ts";
import { Mark, ProblemNote } from "./parts.tsx";

/**
 * Exchanges an API key for a cookie session.
 *
 * The key lives in the input alone: no state, no storage; the input goes away with the form.
 */
export function SignIn({ onSignedIn }: { readonly onSignedIn: () => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<ApiProblem>();
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    document.title = "Sign in · Berth";
    input.current?.focus();
  }, []);

  const signIn = async (field: HTMLInputElement): Promise<void> => {
    setBusy(true);
    setProblem(undefined);
    try {
      await ask("/auth/session", { method: "POST", json: { key: field.value.trim() } });
      field.value = "";
      onSignedIn();
    } catch (e) {
      setProblem(asProblem(e));
      setBusy(false);
      field.select();
    }
  };
  const submit = (e: SubmitEvent) => {
    e.preventDefault();
    if (input.current !== null && !busy) void signIn(input.current);
  };
  return (
    <main className="lone">
      <form className="sign-in" onSubmit={submit}>
        <p className="wordmark">
          <Mark />
          <span>Berth</span>
        </p>
        <h1>Sign in to {location.hostname}</h1>
        <label htmlFor="key">API key</label>
        <input
          id="key"
          ref={input}
          type="password"
          required
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          placeholder="berth_live_…"
          aria-describedby={problem ? "key-problem key-note" : "key-note"}
          aria-invalid={problem !== undefined}
        />
        {problem ? <ProblemNote id="key-problem" problem={problem} /> : null}
        <button type="submit" className="primary" aria-disabled={busy}>
          {busy ? "Signing in…" : "Sign in"}
        </button>
        <p id="key-note" className="note">
          Exchanged at once for a session cookie; the key itself is not kept in this browser.
        </p>
      </form>
    </main>
  );
}
