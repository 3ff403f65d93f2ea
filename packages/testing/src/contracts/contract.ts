/**
 * One demand on a store: a title and a function that rejects when it is not met. It is a test for any runner that has
 * `test(title, run)`: Jest, Vitest, `node:test`.
 */
export interface ContractCase {
  /** The title of the test. */
  readonly title: string
  /** Rejects when the demand is not met. */
  readonly run: () => Promise<void>
}

let count = 0

/** A name that no other test has, also not in a store that is kept. */
export function uniqueName(stem: string): string {
  count += 1
  return `${stem}-${process.pid}-${Date.now()}-${count}`
}
