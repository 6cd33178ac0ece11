/**
 * Server-sent events, one at a time.
 *
 * @source WHATWG HTML, "Server-sent events", interpreting an event stream; `id` and `retry` unused.
 */
type ServerEvent = { readonly event: string; readonly data: string };

/** Takes text as it arrives, cut anywhere; gives the events that text completes. */
export type EventParser = (text: string) => readonly ServerEvent[];

export function eventParser(): EventParser {
  let rest = "";
  let event = "";
  let data: string[] = [];
  let skipLineFeed = false;

  const take = (line: string, out: ServerEvent[]): void => {
    if (line === "") {
      if (data.length > 0) out.push({ event, data: data.join("\n") });
      event = "";
      data = [];
      return;
    }
    if (line.startsWith("data:")) data.push(line.charAt(5) === " " ? line.slice(6) : line.slice(5));
    else if (line.startsWith("event:")) event = line.slice(6).trim();
  };

  return (text) => {
    const out: ServerEvent[] = [];
    let start = 0;
    for (let i = 0; i < text.length; i += 1) {
      const code = text.charCodeAt(i);
      if (code !== 10 && code !== 13) {
        skipLineFeed = false;
        continue;
      }
      if (code === 10 && skipLineFeed) {
        skipLineFeed = false;
        start = i + 1;
        continue;
      }
      take(rest + text.slice(start, i), out);
      rest = "";
      start = i + 1;
      skipLineFeed = code === 13;
    }
    rest += text.slice(start);
    return out;
  };
}
