/** Which attributes a drawing keeps. Rules V2 and V3 are in ./svg.ts. */

/** What became of one attribute of the file. */
export type Kept = {
  readonly refused: boolean;
  /** Name and value, as they are written. */
  readonly kept: readonly (readonly [string, string])[];
};

/** Presentation attributes; `style` may say the same. */
const PRESENTATION: ReadonlySet<string> = new Set([
  "clip-path",
  "clip-rule",
  "color",
  "display",
  "dominant-baseline",
  "fill",
  "fill-opacity",
  "fill-rule",
  "font-family",
  "font-size",
  "font-style",
  "font-weight",
  "letter-spacing",
  "mask",
  "opacity",
  "paint-order",
  "stop-color",
  "stop-opacity",
  "stroke",
  "stroke-dasharray",
  "stroke-dashoffset",
  "stroke-linecap",
  "stroke-linejoin",
  "stroke-miterlimit",
  "stroke-opacity",
  "stroke-width",
  "text-anchor",
  "vector-effect",
  "visibility",
]);

const GEOMETRY: ReadonlySet<string> = new Set([
  "clipPathUnits",
  "cx",
  "cy",
  "d",
  "dx",
  "dy",
  "fr",
  "fx",
  "fy",
  "gradientTransform",
  "gradientUnits",
  "height",
  "id",
  "maskContentUnits",
  "maskUnits",
  "offset",
  "pathLength",
  "points",
  "preserveAspectRatio",
  "r",
  "role",
  "rotate",
  "rx",
  "ry",
  "spreadMethod",
  "textLength",
  "transform",
  "viewBox",
  "width",
  "x",
  "x1",
  "x2",
  "y",
  "y1",
  "y2",
]);

const HANDLER = /^on/i;
const REFERENCE = /^(?:xlink:)?href$/i;
const INSIDE = /^#[A-Za-z_][A-Za-z0-9_.-]{0,127}$/;
const URL_INSIDE = /^url\(\s*["']?#[A-Za-z_][A-Za-z0-9_.-]{0,127}["']?\s*\)$/;
/** Anything that a style value could load from, or run. */
const REACHES = /url\s*\(|image-set|expression|javascript:|data:|@import|\\/i;

const NOTHING: Kept = { refused: false, kept: [] };
const REFUSED: Kept = { refused: true, kept: [] };

export function attributeOf(name: string, value: string): Kept {
  if (HANDLER.test(name)) return REFUSED;
  if (REFERENCE.test(name)) {
    return INSIDE.test(value.trim()) ? keeping("href", value.trim()) : REFUSED;
  }
  if (!PRESENTATION.has(name) && !GEOMETRY.has(name)) return NOTHING;
  return safeValue(value) ? keeping(name, value) : REFUSED;
}

/** The declarations of a `style` attribute as presentation attributes. */
export function styleAttributes(style: string): Kept {
  const kept: (readonly [string, string])[] = [];
  for (const declaration of style.split(";")) {
    const colon = declaration.indexOf(":");
    const name = declaration.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    const value = declaration.slice(colon + 1).trim();
    if (!safeValue(value)) return REFUSED;
    if (PRESENTATION.has(name)) kept.push([name, value]);
  }
  return { refused: false, kept };
}

function keeping(name: string, value: string): Kept {
  return { refused: false, kept: [[name, value]] };
}

function safeValue(value: string): boolean {
  return URL_INSIDE.test(value.trim()) || !REACHES.test(value);
}
