/** Numbers that the memory and the Redis store share. */

/** Milliseconds that a dead link or session is remembered, so that a refusal can say what it was. */
export const TOMBSTONE_MS = 60 * 60_000
/** Milliseconds in which a repeat of the request that opened a session (a double click) gets the same session. */
export const REPEAT_MS = 30_000
/** Wrong digits after which a link is spent. */
export const MOST_WRONG_CODES = 5
/** A session is marked as used at most once in this part of its idle time. */
export const TOUCH_PART = 5
