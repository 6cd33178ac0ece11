import { join } from "node:path";
import { build } from "esbuild";

/** The floor's Worker as one file in `folder`. @returns its path */
export async function bundleFloor(folder: string): Promise<string> {
  const outfile = join(folder, "floor.js");
  await build({
    entryPoints: [join(import.meta.dirname, "worker.ts")],
    outfile,
    bundle: true,
    format: "esm",
    target: "esnext",
    external: ["cloudflare:*"],
  });
  return outfile;
}
