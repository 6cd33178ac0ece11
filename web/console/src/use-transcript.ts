import { useCallback, useEffect, useRef, useState } from "react";
import { rememberedInvocations } from "./route.ts";
import { OpenSession, type Place, type Transcript } from "./open-session.ts";

export type TranscriptHandle = Transcript & {
  /** A number of its own for each session opened here; the same while one gets its id. */
  readonly opened: number;
  readonly send: (text: string) => void;
  readonly again: (key: string) => void;
  readonly stop: () => void;
};

const EMPTY: Transcript = { turns: [], loading: false, problem: null };

/**
 * The session of an address, opened when the address changes and left with the screen.
 *
 * @param accepted  Told of the session, which belongs into the address, and of its invocations
 *                  that are known here, whenever an input was accepted.
 */
export function useTranscript(
  place: Omit<Place, "known">,
  accepted: (session: string, known: readonly string[]) => void,
): TranscriptHandle {
  const [transcript, setTranscript] = useState(EMPTY);
  const [opened, setOpened] = useState(0);
  const open = useRef<OpenSession | null>(null);
  const { agent, environment, session } = place;

  useEffect(() => {
    const asked = { agent, environment, session };
    if (open.current?.stands(asked)) return;
    open.current?.leave();
    open.current = new OpenSession(
      { ...asked, known: rememberedInvocations() },
      setTranscript,
      accepted,
    );
    setOpened((before) => before + 1);
  }, [agent, environment, session, accepted]);

  useEffect(
    () => () => {
      open.current?.leave();
      open.current = null;
    },
    [],
  );

  const send = useCallback((text: string) => open.current?.send(text), []);
  const again = useCallback((key: string) => open.current?.again(key), []);
  const stop = useCallback(() => open.current?.stop(), []);
  return { ...transcript, opened, send, again, stop };
}
