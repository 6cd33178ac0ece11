import type { Branding } from "./contract.ts";
import { type Palette, paletteOf, type Scheme } from "./palette.ts";

/**
 * `/branding.css`: CSS variables and nothing else. Values are checked colours, a path of ours and
 * one string in which every character but letters, digits and spaces is escaped.
 */
export function brandingCss({ name, light, dark, logo }: Branding): string {
  const brand = {
    ...(name === null ? {} : { "brand-name": cssString(name) }),
    ...(logo === null ? {} : { "brand-logo": `url("/branding/logo?${logo.digest}")` }),
  };
  return [
    rule(brand),
    within("light", rule(paletteOf("light", light))),
    within("dark", rule(paletteOf("dark", dark))),
  ].join("");
}

/** What was chosen for one scheme says nothing of the other. */
function within(scheme: Scheme, rules: string): string {
  return rules === "" ? "" : `@media (prefers-color-scheme: ${scheme}) {\n${rules}}\n`;
}

/** Twice `:root` weighs more than the page's own sheet, whichever comes last. */
function rule(values: Palette): string {
  const lines = Object.entries(values).map(([name, value]) => `  --${name}: ${value};\n`);
  return lines.length === 0 ? "" : `:root:root {\n${lines.join("")}}\n`;
}

/** @source CSS Syntax 3 §4.3.7: `\` and up to six hex digits, ended by a space. */
function cssString(text: string): string {
  const escaped = text.replaceAll(
    /[^A-Za-z0-9 ]/gu,
    (char) => `\\${(char.codePointAt(0) ?? 0).toString(16)} `,
  );
  return `"${escaped}"`;
}
