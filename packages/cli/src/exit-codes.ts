/** What the command ends with: for scripts. */
export const exitCodes = {
  /** Done; every check passed. */
  ok: 0,
  /** The answer is no: a check failed, a request was refused, an altered line was found, a version exists already. */
  failed: 1,
  /** A wrong argument, option, environment variable or file. Nothing was done. */
  usage: 2,
  /** A store or a server cannot be reached, or did not answer in time. Try again. */
  unavailable: 3,
  /** What was named is not there: a caller, a version, a credential, a session. */
  notFound: 4,
  /** A mistake in the command itself. */
  internal: 70,
  /** Ended by Ctrl+C. */
  interrupted: 130,
} as const

/** One of {@link exitCodes}. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]
