import type { Branding } from "./contract.ts";
import { type Palette, paletteOf } from "./palette.ts";

/**
 * `/branding.css`: CSS variables and nothing else. Values are checked colours, a path of ours and
 * one string in which every character but letters, digits and spaces is escaped.
 */
export function brandingCss({ name, light, dark, logo }: Branding): string {
  const brand = {
    ...(name === null ? {} : { "brand-name": cssString(name) }),
    ...(logo === null ? {} : { "brand-logo": `url("/branding/logo?${logo.digest}")` }),
  };
  const day = rule({ ...brand, ...paletteOf("light", light) });
  const night = rule(paletteOf("dark", dark));
  return `${day}${night === "" ? "" : `@media (prefers-color-scheme: dark) {\n${night}}\n`}`;
}

function rule(values: Palette): string {
  const lines = Object.entries(values).map(([name, value]) => `  --${name}: ${value};\n`);
  return lines.length === 0 ? "" : `:root {\n${lines.join("")}}\n`;
}

/** @source CSS Syntax 3 §4.3.7: `\` and up to six hex digits, ended by a space. */
function cssString(text: string): string {
  const escaped = text.replaceAll(
    /[^A-Za-z0-9 ]/gu,
    (char) => `\\${(char.codePointAt(0) ?? 0).toString(16)} `,
  );
  return `"${escaped}"`;
}
