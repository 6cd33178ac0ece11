import type { Invocation } from "../invocations/contract.ts";

/** What a template may ask of the invocation that ended. */
const PLACES = {
  id: (of: Invocation) => of.id,
  agent: (of: Invocation) => of.agent,
  status: (of: Invocation) => of.status,
  session_id: (of: Invocation) => of.session_id,
  input: (of: Invocation) => (typeof of.input === "string" ? of.input : JSON.stringify(of.input)),
  output: (of: Invocation) => of.output?.text ?? "",
  error: (of: Invocation) => of.error?.detail ?? "",
  error_code: (of: Invocation) => of.error?.code ?? "",
} as const satisfies Record<string, (of: Invocation) => string>;

const PLACE = /\{\{([^{}]*)\}\}/g;

/** What is wrong with a template, or undefined. */
export function templateFault(template: string): string | undefined {
  for (const [, name = ""] of template.matchAll(PLACE)) {
    if (!Object.hasOwn(PLACES, name)) {
      return `{{${name.slice(0, 40)}}} is none of ${Object.keys(PLACES).join(", ")}`;
    }
  }
  return undefined;
}

/**
 * The template with its places filled. What is filled in is never read as a template itself.
 *
 * @returns  text; a blank one when the places had nothing to say.
 */
export function filled(template: string, of: Invocation): string {
  return template.replaceAll(PLACE, (whole, name: string) =>
    isPlace(name) ? PLACES[name](of) : whole,
  );
}

function isPlace(name: string): name is keyof typeof PLACES {
  return Object.hasOwn(PLACES, name);
}
