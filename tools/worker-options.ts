/**
 * Write the Worker's Miniflare options, as wrangler reads them from wrangler.toml, to a file.
 * A process of its own at build time: loading wrangler costs a second, a start should not.
 */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { unstable_getMiniflareWorkerOptions } from "wrangler";

const [target] = process.argv.slice(2);
if (target === undefined) throw new Error("usage: worker-options.ts <file>");
const config = join(dirname(dirname(fileURLToPath(import.meta.url))), "wrangler.toml");
const { workerOptions } = unstable_getMiniflareWorkerOptions(config);
writeFileSync(target, JSON.stringify(workerOptions, undefined, 2));
