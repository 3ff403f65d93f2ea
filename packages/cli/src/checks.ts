import { safeString } from '@countersign/core/gate-kit'
import type { Context } from './context.js'
import { type ExitCode, exitCodes } from './errors.js'

/** `warn`: it works, but not for long or not for everyone. `skip`: it was not checked. */
export type CheckStatus = 'pass' | 'warn' | 'fail' | 'skip'

/** One check and its result. */
export interface Check {
  /** Stable, for scripts: `metadata-resource`. */
  readonly id: string
  readonly status: CheckStatus
  /** What was found, in one line. */
  readonly detail: string
  /** What to do about it, for `warn` and `fail`. */
  readonly remedy?: string
}

/** A check that passed. */
export const pass = (id: string, detail: string): Check => ({ id, status: 'pass', detail })
/** A check that was not made, and why. */
export const skip = (id: string, detail: string): Check => ({ id, status: 'skip', detail })
/** A check that found what may fail later. */
export const caution = (id: string, detail: string, remedy: string): Check => ({ id, status: 'warn', detail, remedy })
/** A check that failed. */
export const fail = (id: string, detail: string, remedy: string): Check => ({ id, status: 'fail', detail, remedy })

const SIGNS = {
  pass: { sign: '✓', style: 'green' },
  warn: { sign: '!', style: 'yellow' },
  fail: { sign: '✗', style: 'red' },
  skip: { sign: '-', style: 'dim' },
} as const

/** Prints a check in one line, with its remedy below. */
export function printCheck({ output }: Context, { id, status, detail, remedy }: Check): void {
  const { sign, style } = SIGNS[status]
  output.line(`${output.style(style, sign)} ${id}: ${safeString(detail)}`)
  if (remedy !== undefined) output.line(`    ${safeString(remedy)}`)
}

/** Ends a report with a line of counts, or prints all of it as JSON. Exit code 1 when a check failed. */
export function finishReport(
  { output }: Context,
  checks: readonly Check[],
  { json = false, ...about }: { readonly json?: boolean | undefined; readonly [member: string]: unknown },
): ExitCode {
  const count = (status: CheckStatus) => checks.filter((check) => check.status === status).length
  const [passed, failed, warnings] = [count('pass'), count('fail'), count('warn')]
  if (json) output.json({ ...about, ok: failed === 0, checks })
  else output.line(`${passed} passed, ${failed} failed, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`)
  return failed === 0 ? exitCodes.ok : exitCodes.failed
}
