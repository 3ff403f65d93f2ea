import { type AuditSink, OptionError } from '@countersign/core'
import type { BaseLogger } from 'pino'
import { describeEvent } from './describe-event.js'

/** What the sink needs of a pino logger. */
export interface PinoLogger extends Pick<BaseLogger, 'info' | 'warn' | 'error'> {
  flush?(done?: (error?: Error) => void): void
}

const LEVELS = { info: 'info', warning: 'warn', critical: 'error' } as const

/**
 * Writes each event as one line of a pino logger, under `audit`: severity `info` at level info, `warning` at warn,
 * `critical` at error.
 *
 * @throws {OptionError} when the argument is not a logger.
 * @example
 * audit.subscribe(pinoSink(pino()))
 */
export function pinoSink(logger: PinoLogger): AuditSink {
  if (typeof logger?.info !== 'function') {
    throw new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', 'logger', 'pinoSink: the argument must be a pino logger')
  }
  return {
    name: 'pino',
    write: (event) => logger[LEVELS[event.severity]]({ audit: event }, describeEvent(event)),
    flush: () =>
      new Promise<void>((resolve, reject) => {
        if (logger.flush === undefined) resolve()
        else logger.flush((error) => (error == null ? resolve() : reject(error)))
      }),
  }
}
