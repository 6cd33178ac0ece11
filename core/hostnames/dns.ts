/**
 * DNS over HTTPS, in its JSON form.
 *
 * @source developers.cloudflare.com/1.1.1.1/encryption/dns-over-https/make-api-requests/dns-json,
 *         developers.google.com/speed/public-dns/docs/doh/json: the same form.
 */
import { z } from "zod";
import type { Fetch } from "../models/contract.ts";

export type RecordType = "TXT" | "CNAME";

/** What a name has; `asked` false when nobody could say, which is no proof of anything. */
export type DnsAnswer =
  | { readonly asked: true; readonly values: readonly string[] }
  | { readonly asked: false; readonly why: string };

export type Resolve = (name: string, type: RecordType) => Promise<DnsAnswer>;

const TYPES = { TXT: 16, CNAME: 5 } as const;
const NO_ERROR = 0;
const NO_SUCH_NAME = 3;

const Answered = z.looseObject({
  Status: z.number(),
  TC: z.boolean().optional(),
  Answer: z
    .array(z.looseObject({ type: z.number(), data: z.string().max(65_536) }))
    .max(200)
    .optional(),
});

/** @param fetch  Bounds time and size, and refuses redirects. */
export function dohResolver(fetch: Fetch, resolverUrl: string): Resolve {
  return async (name, type) => {
    const url = new URL(resolverUrl);
    url.searchParams.set("name", name);
    url.searchParams.set("type", type);
    try {
      const answer = await fetch(url, { headers: { accept: "application/dns-json" } });
      if (!answer.ok) return unasked(`the resolver answered ${answer.status}`);
      const parsed = Answered.safeParse(await answer.json());
      return parsed.success
        ? valuesOf(parsed.data, type)
        : unasked("the resolver answered nonsense");
    } catch {
      return unasked("the resolver cannot be reached");
    }
  };
}

function valuesOf({ Status, Answer }: z.infer<typeof Answered>, type: RecordType): DnsAnswer {
  if (Status !== NO_ERROR && Status !== NO_SUCH_NAME) {
    return unasked(`the name's servers do not answer (DNS status ${Status})`);
  }
  const data = (Answer ?? []).filter((it) => it.type === TYPES[type]).map((it) => it.data);
  return { asked: true, values: data.map(type === "TXT" ? textOf : nameOf) };
}

function unasked(why: string): DnsAnswer {
  return { asked: false, why };
}

/** One or more quoted strings, which are one text; some resolvers leave the quotes out. */
function textOf(data: string): string {
  if (!data.startsWith('"')) return data;
  const strings = data.matchAll(/"((?:[^"\\]|\\.)*)"/gs);
  return Array.from(strings, ([, text = ""]) => text.replaceAll(/\\(.)/gs, "$1")).join("");
}

function nameOf(data: string): string {
  return data.toLowerCase().replace(/\.$/, "");
}
