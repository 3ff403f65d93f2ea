/** Where the project's pages are. The one place that names it; the maintainers set it before the first release. */
export const HOMEPAGE = 'https://countersign.example'

/** A message that ends with the page of its code. */
export function withPage(message: string, code: string): string {
  return `${/[.?!…]$/.test(message) ? message : `${message}.`} See ${HOMEPAGE}/errors/${code}`
}

/** The gates whose reasons are on the page of reasons. */
const GATES: ReadonlySet<string> = new Set(['hmac', 'oauth-bearer', 'mcp-credential', 'settings-session'])

/** Where it says what a reason means and what to do; undefined for a reason of a gate that is not of this suite. */
export function reasonPage(gate: string, reason: string): string | undefined {
  if (reason === 'internal_error') return `${HOMEPAGE}/errors/COUNTERSIGN_INTERNAL_ERROR`
  return GATES.has(gate) ? `${HOMEPAGE}/errors/reasons#${gate}-${reason}` : undefined
}

/** A message as it was before {@link withPage}. */
export function withoutPage(message: string): string {
  const at = message.lastIndexOf(` See ${HOMEPAGE}/errors/`)
  return at === -1 ? message : message.slice(0, at)
}

/** The code of a warning. It names the page that says what to do. */
export type WarningCode = `COUNTERSIGN_${string}`

/** Emits a process warning. Never throws: a warning changes no answer. */
export function warn(code: WarningCode, message: string, detail?: string): void {
  try {
    process.emitWarning(withPage(message, code), { code, ...(detail === undefined ? {} : { detail }) })
  } catch {
    // An app may have put a function of its own there.
  }
}
