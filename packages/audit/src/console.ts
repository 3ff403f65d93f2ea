import { type AuditSink, OptionError } from '@countersign/core'
import { eventLine } from '@countersign/core/gate-kit'

/** What the sink needs of a console. */
export type ConsoleLike = Pick<Console, 'info' | 'warn' | 'error'>

const LEVELS = { info: 'info', warning: 'warn', critical: 'error' } as const

/**
 * Writes each event as one line to the console, as `NODE_DEBUG=countersign` does: severity `info` by `console.info`,
 * `warning` by `console.warn`, `critical` by `console.error`.
 *
 * @throws {OptionError} when the argument is not a console.
 * @example
 * audit.subscribe(consoleSink())
 */
export function consoleSink(target: ConsoleLike = console): AuditSink {
  if (Object.values(LEVELS).some((level) => typeof target?.[level] !== 'function')) {
    throw new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', 'target', 'consoleSink: the argument must be a console')
  }
  // A text of the event is not a format of the console's.
  return { name: 'console', write: (event) => target[LEVELS[event.severity]]('%s', eventLine(event)) }
}
