/** Whether the server said no, by SQLSTATE: a lost connection (08), lacking resources (53) and a shutdown (57) are no answer. */
export function isRefusal(error: unknown): boolean {
  return /^(?!08|53|57)/.test(sqlState(error) ?? '08')
}

/** The SQLSTATE that the server answered, by this error or its cause. */
export function sqlState(error: unknown): string | undefined {
  const { code, cause } = Object(error) as { code?: unknown; cause?: unknown }
  // A digit tells it from the system's codes, such as EPIPE.
  if (typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code)) return code
  return cause === undefined ? undefined : sqlState(cause)
}
