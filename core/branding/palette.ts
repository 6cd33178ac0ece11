/**
 * Every colour of a page from the three a tenant chose, or the reason why it cannot be read.
 *
 * B1  Text has 4.5:1 on every ground it stands on, controls' borders 3:1 (WCAG 2.2 §1.4.3,
 *     §1.4.11). What a tenant chose is refused when it has not; what is derived is derived so.
 * B2  The foreground on the accent is chosen here: black or white, whichever is clearer.
 */
import type { ProblemPlace } from "../problem.ts";
import { contrast, mix } from "./colour.ts";
import type { SchemeColours } from "./contract.ts";

export type Scheme = "light" | "dark";

/** By the names of the console's CSS variables, without their dashes. */
export type Palette = Readonly<Record<string, string>>;

type Base = Readonly<Record<"ground" | "ink" | "accent" | "good" | "bad" | "warn", string>>;

/** As web/console/src/css/base.css has them. */
const BASE: Readonly<Record<Scheme, Base>> = {
  light: {
    ground: "#fbfbf9",
    ink: "#191c1e",
    accent: "#0a6563",
    good: "#1d7040",
    bad: "#b0241b",
    warn: "#87570a",
  },
  dark: {
    ground: "#121516",
    ink: "#e9ebea",
    accent: "#68cdc3",
    good: "#6cc98b",
    bad: "#ff8f86",
    warn: "#e3b65f",
  },
};

const TEXT = 4.5;
const BORDER = 3;

/** The variables to set for `chosen`; none when nothing was chosen. */
export function paletteOf(scheme: Scheme, chosen: SchemeColours): Palette {
  const { accent, ground, ink } = withBase(scheme, chosen);
  const grounds = groundsOf(scheme, ground, ink);
  const strong = mix(accent, scheme === "light" ? "#000000" : "#ffffff", 0.2);
  const accents = {
    accent,
    "accent-strong": strong,
    "on-accent": clearest(accent),
    "accent-wash": washOf(ground, ink, accent),
  };
  const surfaces = {
    ground,
    ...grounds,
    line: mix(ground, ink, 0.12),
    "line-control": faintest(ink, [ground, ...Object.values(grounds)], BORDER),
    ink,
    "ink-soft": softened(ink, [ground, ...Object.values(grounds)], 0.25),
    "ink-faint": softened(ink, [ground, ...Object.values(grounds)], 0.4),
  };
  return {
    ...(chosen.ground === undefined && chosen.ink === undefined ? {} : surfaces),
    ...(Object.keys(chosen).length === 0 ? {} : accents),
  };
}

/** What of `chosen` cannot be read, and against what; empty when all can. */
export function paletteFaults(scheme: Scheme, chosen: SchemeColours): readonly ProblemPlace[] {
  const base = withBase(scheme, chosen);
  const grounds = [base.ground, ...Object.values(groundsOf(scheme, base.ground, base.ink))];
  const blamed = (name: "ink" | "accent") => (chosen[name] === undefined ? "ground" : name);
  const checked = [
    { name: blamed("ink"), text: "ink", colour: base.ink },
    { name: blamed("accent"), text: "accent", colour: base.accent },
    { name: "ground", text: "a status colour", colour: base.good },
    { name: "ground", text: "a status colour", colour: base.bad },
    { name: "ground", text: "a status colour", colour: base.warn },
  ] as const;
  const faults = checked.flatMap(({ name, text, colour }) => {
    if (chosen[name] === undefined) return [];
    const least = Math.min(...grounds.map((ground) => contrast(colour, ground)));
    if (least >= TEXT) return [];
    const pointer = `/${scheme}/${name}`;
    return [{ pointer, detail: `${text} has ${shown(least)}:1 on the page; 4.5:1 is needed` }];
  });
  return faults.filter(
    ({ pointer }, at) => faults.findIndex((it) => it.pointer === pointer) === at,
  );
}

function withBase(scheme: Scheme, chosen: SchemeColours): Base {
  const { accent, ground, ink } = BASE[scheme];
  return {
    ...BASE[scheme],
    accent: chosen.accent ?? accent,
    ground: chosen.ground ?? ground,
    ink: chosen.ink ?? ink,
  };
}

/** What lies above and below the page. */
function groundsOf(scheme: Scheme, ground: string, ink: string) {
  return {
    raised: mix(ground, "#ffffff", scheme === "light" ? 0.6 : 0.035),
    sunken: mix(ground, scheme === "light" ? ink : "#000000", scheme === "light" ? 0.035 : 0.3),
  };
}

function clearest(accent: string): string {
  return contrast(accent, "#ffffff") >= contrast(accent, "#000000") ? "#ffffff" : "#000000";
}

/** A hint of the accent that ink can still be read on. */
function washOf(ground: string, ink: string, accent: string): string {
  for (const share of [0.12, 0.06]) {
    const wash = mix(ground, accent, share);
    if (contrast(ink, wash) >= TEXT) return wash;
  }
  return ground;
}

/** The ink, nearer to the page by at most `share`, still readable. */
function softened(ink: string, grounds: readonly string[], share: number): string {
  for (let part = share; part > 0; part -= 0.05) {
    const soft = mix(ink, grounds[0] ?? ink, part);
    if (grounds.every((ground) => contrast(soft, ground) >= TEXT)) return soft;
  }
  return ink;
}

function faintest(ink: string, grounds: readonly string[], least: number): string {
  for (let part = 0.6; part > 0; part -= 0.05) {
    const soft = mix(ink, grounds[0] ?? ink, part);
    if (grounds.every((ground) => contrast(soft, ground) >= least)) return soft;
  }
  return ink;
}

/** Rounded down: what is refused never reads as enough. */
function shown(ratio: number): string {
  return (Math.floor(ratio * 10) / 10).toFixed(1);
}
