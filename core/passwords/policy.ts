/** What a password must not be. Length is the contract's; there are no rules about its characters. */
import { Problem } from "../problem.ts";
import { WORST } from "./worst.ts";

/** Shorter names are parts of ordinary words. */
const TELLING_LENGTH = 5;

/**
 * Refuse what is guessed first: the worst of lists that leaked, and the person's own address.
 *
 * @param pointer  Where the password stands in the body.
 * @throws Problem `invalid`
 * @source NIST SP 800-63B §5.1.1.2
 */
export function demandGoodPassword(password: string, email: string, pointer: string): void {
  const fault = faultOf(password.toLowerCase(), email.toLowerCase());
  if (fault === undefined) return;
  throw new Problem("invalid", "choose another password", {
    errors: [{ pointer, detail: fault }],
  });
}

function faultOf(password: string, email: string): string | undefined {
  const [name = ""] = email.split("@", 1);
  if (password.includes(email) || (name.length >= TELLING_LENGTH && password.includes(name))) {
    return "contains the e-mail address";
  }
  const bare = password.replace(/[\d!.?*#$@_-]+$/, "");
  if (WORST.has(password) || WORST.has(bare) || new Set(password).size < 3) {
    return "is among the passwords that are guessed first";
  }
  return undefined;
}
