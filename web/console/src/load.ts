import { useCallback, useEffect, useState } from "react";
import type { Page } from "../../../core/page.ts";
import { ApiProblem, askJson } from "./api.ts";

export type Loaded<T> = {
  /** The last answer; stays while it is asked for again. */
  readonly data: T | undefined;
  readonly problem: ApiProblem | undefined;
  readonly loading: boolean;
  readonly reload: () => void;
};

type Held<T> = {
  readonly path: string;
  readonly round: number;
  readonly data?: T;
  readonly problem?: ApiProblem;
};

/** `GET path`, again when it changes; answers to an earlier path are dropped. */
export function useLoad<T>(path: string): Loaded<T> {
  const [held, setHeld] = useState<Held<T>>({ path: "", round: -1 });
  const [round, setRound] = useState(0);
  useEffect(() => {
    const leaving = new AbortController();
    const load = async (): Promise<void> => {
      try {
        const data = await askJson<T>(path, { signal: leaving.signal });
        setHeld({ path, round, data });
      } catch (e) {
        if (leaving.signal.aborted) return;
        const problem = asProblem(e);
        setHeld((before) => ({ ...(before.path === path ? before : { path }), round, problem }));
      }
    };
    void load();
    return () => leaving.abort();
  }, [path, round]);
  const reload = useCallback(() => setRound((before) => before + 1), []);
  const current = held.path === path;
  return {
    data: current ? held.data : undefined,
    problem: current ? held.problem : undefined,
    loading: !current || held.round !== round,
    reload,
  };
}

export type Paged<T> = Loaded<readonly T[]> & {
  /** Fetches the next page behind what is there; absent when there is none. */
  readonly more: (() => void) | undefined;
  /** Pages behind the first are shown; a reload goes back to the first. */
  readonly extended: boolean;
};

type Behind<T> = {
  readonly first: Page<T> | undefined;
  readonly rows: readonly T[];
  readonly cursor: string | null;
};

/** A list by its cursor: the first page at once, the others when asked for. */
export function usePages<T>(path: string): Paged<T> {
  const first = useLoad<Page<T>>(path);
  const [behind, setBehind] = useState<Behind<T>>({ first: undefined, rows: [], cursor: null });
  const [problem, setProblem] = useState<ApiProblem>();
  const fresh = behind.first !== first.data;
  const cursor = fresh ? (first.data?.next_cursor ?? null) : behind.cursor;
  const rows = fresh ? [] : behind.rows;

  const fetchMore = async (from: string): Promise<void> => {
    try {
      const next = `${path}${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(from)}`;
      const page = await askJson<Page<T>>(next);
      setProblem(undefined);
      setBehind({ first: first.data, rows: [...rows, ...page.data], cursor: page.next_cursor });
    } catch (e) {
      setProblem(asProblem(e));
    }
  };
  return {
    ...first,
    data: first.data && [...first.data.data, ...rows],
    problem: problem ?? first.problem,
    extended: rows.length > 0,
    more: cursor === null ? undefined : () => void fetchMore(cursor),
  };
}

/** What went wrong as a problem a person can read; a defect of the page itself too. */
export function asProblem(e: unknown): ApiProblem {
  if (e instanceof ApiProblem) return e;
  const detail = e instanceof Error ? e.message : String(e);
  return new ApiProblem({ title: "The page failed", detail, status: 0, code: "page_failed" });
}
