/** What the consumers need of a queue's batch; the runtime's own types fit it. */
export type Message = {
  readonly body: unknown;
  /** 1 on the first delivery. */
  readonly attempts: number;
  ack(): void;
  retry(options?: { readonly delaySeconds?: number }): void;
};

export type Batch = { readonly queue: string; readonly messages: readonly Message[] };

/** Deliveries of one message; behind them stands the outbox, which sends a fresh one. */
const DELIVERIES = 6;

/**
 * Deliver again later, doubling the wait; after a few times leave it to the outbox, or messages
 * about one stuck thing would pile up.
 */
export function putOff(message: Message, error: unknown): void {
  logFault("put off", error);
  if (message.attempts >= DELIVERIES) message.ack();
  else message.retry({ delaySeconds: 2 ** message.attempts });
}

/** One structured line; of a failed statement not its values, which stand on later lines. */
export function logFault(event: string, error?: unknown): void {
  const known = error instanceof Error ? error : undefined;
  const message = known?.message.split("\n", 1)[0];
  console.error(JSON.stringify({ level: "error", event, error: known?.name, message }));
}
