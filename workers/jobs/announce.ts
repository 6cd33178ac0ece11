import type { DeploymentMessage } from "../../core/db/outbox.ts";
import { logFault } from "./batch.ts";

/**
 * Tell the queue of a deployment that was just written.
 *
 * A failure is tolerated: the outbox row was written with the deployment, and the sweep sends it
 * again until the consumer has acknowledged it.
 */
export async function announceDeployment(
  queue: Pick<Queue, "send">,
  message: DeploymentMessage,
): Promise<void> {
  try {
    await queue.send(message);
  } catch (error) {
    logFault("the sweep will announce a deployment", error);
  }
}
