import { malformed, scanJson } from "./scan.ts";

/**
 * JSON text to a value that every store keeps faithfully; the rules stand in workers/edge/body.ts.
 *
 * @param what  Names the text in a refusal: "body", "frame".
 * @throws Problem `malformed_json`
 */
export function parseJsonText(text: string, what: string): unknown {
  const { bigNumbers } = scanJson(text);
  const value = parse(text, what);
  if (bigNumbers || mayHoldPrototypeKey(text)) refuseUnkeepable(value);
  return value;
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The engine's own message quotes the input; it stays here.
    throw malformed(`the ${what} is not JSON`);
  }
}

/** Cheap and never wrong in saying no: the key in clear, or any escape that could spell it. */
function mayHoldPrototypeKey(text: string): boolean {
  return text.includes("__proto__") || /\\u00[57][0-9a-fA-F]|\\u006[0-9a-fA-F]/.test(text);
}

/** What parses but cannot be kept: prototype keys, and numbers that became infinite. */
function refuseUnkeepable(root: unknown): void {
  const open: { readonly value: unknown; readonly pointer: string }[] = [
    { value: root, pointer: "" },
  ];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (typeof at.value === "number" && !Number.isFinite(at.value)) {
      throw malformed("the number is too large", at.pointer);
    }
    if (typeof at.value !== "object" || at.value === null) continue;
    for (const [key, value] of Object.entries(at.value)) {
      const pointer = `${at.pointer}/${escapePointer(key)}`;
      if (key === "__proto__") throw malformed("the key is not allowed", pointer);
      open.push({ value, pointer });
    }
  }
}

/** @source RFC 6901 §3 */
export function escapePointer(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}
