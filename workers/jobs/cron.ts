/** What `scheduled` is called with. */

/** Each minute, as wrangler.toml has it. */
export const EVERY_MINUTE = "* * * * *";

/**
 * Once, by a local server at its start. Its queues are kept in memory, so they hold nothing: every
 * message that is not acknowledged is lost and is sent again at once.
 */
export const AT_START = "@start";
