import { RunFailure } from "../failure.ts";
import type { InvocationRow } from "../invocations.ts";
import type { HttpClaim, Kernel } from "../kernel.ts";

/** The run of an `http` agent: one request to its upstream, one answer. */
export async function forward(
  _kernel: Kernel,
  claim: HttpClaim,
): Promise<InvocationRow | undefined> {
  throw new RunFailure(
    { code: "upstream_failed", detail: `${claim.installed.upstream.host} is not asked yet` },
    false,
  );
}
