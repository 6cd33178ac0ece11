import type { ProblemPlace } from "../problem.ts";

/** A URL with `{name}` in its path or query, taken apart. */
export type UrlTemplate = {
  /** The names in the order they stand, repeats included. */
  readonly names: readonly string[];
  /**
   * The URL with these values in it, or what is wrong with them. A value can fill a place and do no
   * more: it cannot reach the host, open another path segment or drop the one it stands in.
   */
  expand(values: Readonly<Record<string, unknown>>): URL | ProblemPlace;
};

const NAME = /\{([A-Za-z_][A-Za-z0-9_-]{0,63})\}/g;
/** Scheme and authority stand before the first brace. */
const FIXED_ORIGIN = /^https?:\/\/[^/?#\\{}\s]+(?:[/?]|$)/i;
const DOT_SEGMENT = /^(?:\.|%2e){1,2}$/i;

/** @returns what is wrong, in words, when the text is no template. */
export function parseTemplate(text: string): UrlTemplate | string {
  if (!FIXED_ORIGIN.test(text)) return "expected http(s):// and a host without {…}, then a path";
  const names = [...text.matchAll(NAME)].map((match) => match[1] ?? "");
  const bare = text.replace(NAME, "");
  if (/[{}]/.test(bare)) return "a brace that is not part of {name}";
  const fragment = text.indexOf("#");
  if (fragment !== -1) return "a URL that is sent has no fragment";
  const probe = parse(text.replace(NAME, "x"));
  if (probe === undefined) return "not a URL";
  if (dotted(text)) return "`.` and `..` are no path segments";
  const { origin } = probe;
  const segments = pathOf(text).split("/");
  const count = probe.pathname.split("/").length;

  return {
    names,
    expand(values) {
      const filled = new Map<string, string>();
      for (const name of names) {
        const value = Object.hasOwn(values, name) ? written(values[name]) : undefined;
        if (value === undefined) return place(name, "expected text, a number or a boolean");
        filled.set(name, value);
      }
      const put = (part: string): string => part.replace(NAME, (_, name) => filled.get(name) ?? "");
      for (const segment of segments) {
        const [, name] = new RegExp(NAME.source).exec(segment) ?? [];
        if (name === undefined) continue;
        const whole = put(segment);
        if (whole === "" || DOT_SEGMENT.test(whole)) return place(name, "no path segment");
      }
      const url = parse(put(text));
      if (url === undefined || url.origin !== origin || url.pathname.split("/").length !== count) {
        return place(names[0] ?? "", "does not fit into the URL");
      }
      return url;
    },
  };
}

function place(name: string, detail: string): ProblemPlace {
  return { pointer: `/${name}`, detail };
}

function written(value: unknown): string | undefined {
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
    return undefined;
  }
  return encodeURIComponent(String(value).toWellFormed());
}

function pathOf(text: string): string {
  return text.replace(/^https?:\/\/[^/?]+/i, "").split("?", 1)[0] ?? "";
}

function dotted(text: string): boolean {
  return pathOf(text)
    .split(/[/\\]/)
    .some((segment) => DOT_SEGMENT.test(segment));
}

function parse(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
