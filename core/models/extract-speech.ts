/** What the built-in responder says around its quotes. */
import type { ToolOffer } from "../tools/contract.ts";
import type { Hit } from "./extract-search.ts";
import { words } from "./extract-words.ts";

const GREETINGS = new Set(
  `hello hi hey hiya howdy greetings good morning afternoon evening day there everyone all again you
  guten tag hallo moin servus bonjour salut bonsoir hola buenas buenos dias ciao ola hej hei`.split(
    /\s+/,
  ),
);
const THANKS = new Set(
  `thank thanks you very much so a lot great cool nice ok okay perfect cheers bye goodbye see ta
  danke merci gracias tack for that the help your`.split(/\s+/),
);
const ABOUT_ITSELF =
  /^(?:who|what) are you\b|^what can (?:you|i)\b|^what do you (?:do|know)\b|^how can you help\b|^help(?: me)?\W*$|^are you (?:a |an )?(?:bot|robot|human|ai|person|real|machine|model)\b/i;
const STATEMENT =
  /^(?:my|our|i am|i'm|i have|i've|i live|i work|i bought|i ordered|i like|remember|note)\b/i;
const MOST_TITLES = 8;

/** What a message is, when it is not a question to be looked up. */
export type Kind = "greeting" | "thanks" | "about" | "statement" | "question";

export function kindOf(text: string): Kind {
  const spoken = words(text);
  if (spoken.length > 0 && spoken.length <= 6) {
    if (spoken.every((word) => GREETINGS.has(word))) return "greeting";
    if (spoken.every((word) => THANKS.has(word))) return "thanks";
  }
  if (ABOUT_ITSELF.test(text.trim().slice(0, 200))) return "about";
  const asks = /[?？]\s*$/.test(text.slice(-20));
  return !asks && STATEMENT.test(text.trim().slice(0, 50)) ? "statement" : "question";
}

export const THANKED = "You're welcome.";
export const NOTED = "Noted. I can quote that back to you later in this conversation.";

export function greeting(titles: readonly string[], offers: readonly ToolOffer[]): string {
  return `Hello! ${invitation(titles, offers)}`;
}

/** Says plainly what answers here: no language model. */
export function aboutItself(titles: readonly string[], offers: readonly ToolOffer[]): string {
  const who =
    "I am a built-in responder, not a language model: I answer by quoting what I was given.";
  return `${who} ${invitation(titles, offers)}`;
}

export function nothingFound(titles: readonly string[]): string {
  return `I have nothing about that. ${invitation(titles, [])}`;
}

export function unknownTool(name: string, offers: readonly ToolOffer[]): string {
  const sorry = `I have no tool called “${name}”.`;
  return offers.length === 0 ? sorry : `${sorry} ${toolHint(offers)}`;
}

export function unreadable(name: string): string {
  return (
    `I could not read what you gave to /${name}. Write its arguments as one JSON object, ` +
    `/${name} {"key": "value"}, or as pairs, /${name} key=value other="two words".`
  );
}

/** Quotes, each with where it stands; neighbours from one place share the mention. */
export function quoted(hits: readonly Hit[]): string {
  const lines: string[] = [];
  for (const [i, hit] of hits.entries()) {
    const before = hits[i - 1]?.document;
    const quote = `“${hit.quote}”`;
    if (before === hit.document) lines.push(`It also says: ${quote}`);
    else lines.push(`${mention(hit, i > 0)}: ${quote}`);
  }
  return lines.join("\n\n");
}

/** A tool's answer, read out: the members of a flat object line by line, anything else as it is. */
export function toolSaid(name: string, content: string): string {
  const shown = flat(content) ?? content;
  return shown.trim() === "" ? `${name} gave an empty answer.` : `${name} answered:\n\n${shown}`;
}

function mention({ document }: Hit, further: boolean): string {
  if (document.origin === "conversation") return "You told me earlier";
  if (document.origin === "instructions") return "My instructions say";
  return further ? `“${document.title}” adds` : `According to “${document.title}”`;
}

function invitation(titles: readonly string[], offers: readonly ToolOffer[]): string {
  const topics =
    titles.length === 0
      ? "I was given no knowledge to quote from yet."
      : `You can ask me about ${listed(titles)}.`;
  return offers.length === 0 ? topics : `${topics} ${toolHint(offers)}`;
}

function toolHint(offers: readonly ToolOffer[]): string {
  const names = offers.map((offer) => `/${offer.name}`);
  return `I use a tool when a line starts with its name: ${listed(names)}.`;
}

function listed(items: readonly string[]): string {
  const unique = [...new Set(items)];
  const shown = unique.slice(0, MOST_TITLES);
  const left = unique.length - shown.length;
  if (left > 0) return `${shown.join(", ")} and ${left} more`;
  const last = shown.pop() ?? "";
  return shown.length === 0 ? last : `${shown.join(", ")} or ${last}`;
}

function flat(content: string): string | undefined {
  if (!content.startsWith("{") || content.length > 4000) return undefined;
  try {
    const members = Object.entries(JSON.parse(content) as Record<string, unknown>); // it is an object
    if (members.length === 0 || members.length > 12) return undefined;
    if (members.some(([, value]) => typeof value === "object" && value !== null)) return undefined;
    return members.map(([key, value]) => `${key}: ${String(value)}`).join("\n");
  } catch {
    return undefined;
  }
}
