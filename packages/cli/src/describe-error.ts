import { CommanderError } from 'commander'
import { CommandError } from './command-error.js'
import { type ExitCode, exitCodes } from './exit-codes.js'

/** How a command ended that threw. */
export interface Ending {
  readonly exitCode: ExitCode
  /** One line; undefined when all is said already, as after `--help`. */
  readonly message: string | undefined
}

const SAID = new Set(['commander.helpDisplayed', 'commander.version'])

const NOT_IN_ARGV =
  'Secrets are not taken from the command line, which everyone sees: use a file, standard input or the environment'

/** Errors of the packages that are an answer, not a mistake of the command, by code: not all of them are loaded. */
const ANSWERS: Readonly<Record<string, ExitCode>> = {
  ERR_COUNTERSIGN_OPTION_INVALID: exitCodes.usage,
  ERR_COUNTERSIGN_OPTION_MISSING: exitCodes.usage,
  ERR_COUNTERSIGN_OPTION_UNKNOWN: exitCodes.usage,
  ERR_COUNTERSIGN_UNAVAILABLE: exitCodes.unavailable,
  ERR_COUNTERSIGN_HMAC_VERSION_EXISTS: exitCodes.failed,
  ERR_COUNTERSIGN_HMAC_ROTATION_CONFLICT: exitCodes.failed,
  ERR_COUNTERSIGN_HMAC_SEALED_UNREADABLE: exitCodes.failed,
  ERR_COUNTERSIGN_HMAC_URL_INVALID: exitCodes.usage,
}

/** How a command ends that threw: its exit code, and the one line that is said. Never throws. */
export function describeError(error: unknown): Ending {
  if (error instanceof CommanderError) return describeCommanderError(error)
  if (error instanceof CommandError) return { exitCode: error.exitCode, message: oneLine(error.message) }
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  const answer = typeof code === 'string' ? ANSWERS[code] : undefined
  if (answer !== undefined) {
    const advice = answer === exitCodes.unavailable ? '. Check the address and try again' : ''
    return { exitCode: answer, message: oneLine(`${String(message)}${advice}`) }
  }
  const words = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return {
    exitCode: exitCodes.internal,
    message: oneLine(`internal error: ${words}. This is a mistake in the command: please report it`),
  }
}

function describeCommanderError({ code, message, exitCode }: CommanderError): Ending {
  if (SAID.has(code)) return { exitCode: exitCodes.ok, message: undefined }
  // Help that nobody asked for: the command is not complete.
  if (code === 'commander.help')
    return { exitCode: exitCode === 0 ? exitCodes.ok : exitCodes.usage, message: undefined }
  const words = message.replace(/^error: /, '')
  const isSecret = /unknown option '--?(token|secret|key|kek|password|passwd)\b/.test(words)
  return { exitCode: exitCodes.usage, message: oneLine(isSecret ? `${words}. ${NOT_IN_ARGV}` : words) }
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ').trim()
}
