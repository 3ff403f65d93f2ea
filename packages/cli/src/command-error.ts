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

export const usageError = (message: string) => new CommandError(message, exitCodes.usage)
export const failedError = (message: string) => new CommandError(message, exitCodes.failed)
export const notFoundError = (message: string) => new CommandError(message, exitCodes.notFound)
export const unavailableError = (message: string, cause?: unknown) =>
  new CommandError(message, exitCodes.unavailable, { cause })
