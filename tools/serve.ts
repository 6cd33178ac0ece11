/**
 * The platform as a process of its own, for tests and benchmarks that must be able to kill it.
 *
 *     node tools/serve.ts '{"port":0,"stateDir":"/tmp/state","vars":{}}'
 *
 * Prints one line of JSON when ready, `{"url","port","workerdPid","platformKey"}`; everything else goes to
 * stderr. Started with `detached: true` it leads a group that holds workerd too.
 */
import { z } from "zod";
import { endWith } from "./lifeline.ts";
import { startLocal } from "./local.ts";

const Options = z.strictObject({
  port: z.number().int().min(0).max(65_535).default(0),
  stateDir: z.string().min(1).exactOptional(),
  vars: z.record(z.string(), z.string()).default({}),
  console: z.boolean().default(true),
  inspectorPort: z.number().int().exactOptional(),
  bundle: z.strictObject({ worker: z.string(), assets: z.string() }).exactOptional(),
});

const options = Options.parse(JSON.parse(process.argv[2] ?? "{}"));
try {
  const local = await startLocal({
    ...options,
    log: (line) => process.stderr.write(`${line}\n`),
  });
  endWith(() => local.stop());
  const { url, port, workerdPid, vars } = local;
  const ready = { url, port, workerdPid, platformKey: vars["PLATFORM_KEY"] };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
