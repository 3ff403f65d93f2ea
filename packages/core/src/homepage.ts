/** Where the project's pages are. The one place that names it; the maintainers set it before the first release. */
export const HOMEPAGE = 'https://countersign.example'

/** A message that ends with the page of its code. */
export function withPage(message: string, code: string): string {
  return `${/[.?!]$/.test(message) ? message : `${message}.`} See ${HOMEPAGE}/errors/${code}`
}

/** Emits a process warning. `code` names the page that says what to do. */
export function warn(code: `COUNTERSIGN_${string}`, message: string, detail?: string): void {
  process.emitWarning(withPage(message, code), { code, ...(detail === undefined ? {} : { detail }) })
}
