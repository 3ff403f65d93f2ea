// Numbers that the memory and the Redis store share.

/** Milliseconds that a dead link or session is remembered, so that a refusal can say what it was. */
export const TOMBSTONE_MS: number = 60 * 60_000
/** Milliseconds that a session which was ended is remembered, so that a browser which still has it is told `revoked`. */
export const ENDED_MS: number = 60_000
/** Milliseconds in which a person who proved an identity may have it released by another user. */
export const RELEASE_MS: number = 10 * 60_000
/** Sessions that one browser may open, one after another, with the same signed data of a platform. */
export const MAX_DATA_SESSIONS: number = 100
/** Milliseconds in which a repeat of the request that opened a session, as by a double click, gets the same session. */
export const REPEAT_MS: number = 30_000
/** Wrong digits after which a link is spent. */
export const MAX_WRONG_CODES: number = 5
/** Milliseconds after which a reverse entry without its other half, left by a crash, is free. */
export const ONE_SIDED_MS: number = 60_000
/** Milliseconds in which a claim must write its other half: well before somebody else may take the entry over. */
export const COMMIT_MS: number = 30_000
/** Milliseconds for which a change's answer is kept for the same attempt: no command is sent again later than that. */
export const ANSWER_MS: number = 60_000
