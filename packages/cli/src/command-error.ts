import { type ExitCode, exitCodes } from './exit-codes.js'

/** What a command ends with when it cannot do what it was told: one line that says what is wrong and what to do. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  constructor(
    message: string,
    readonly exitCode: ExitCode,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** For what was typed or set wrongly; nothing was done. */
export const usageError = (message: string) => new CommandError(message, exitCodes.usage)
/** For an answer that is no. */
export const failedError = (message: string) => new CommandError(message, exitCodes.failed)
/** For what was named and is not there. */
export const notFoundError = (message: string) => new CommandError(message, exitCodes.notFound)
/** For a store or a server that cannot be asked. */
export const unavailableError = (message: string, cause?: unknown) =>
  new CommandError(message, exitCodes.unavailable, { cause })
