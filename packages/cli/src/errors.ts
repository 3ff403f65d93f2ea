import { describeError, isUnavailable } from '@countersign/core/gate-kit'
import { CommanderError } from 'commander'

/** The exit codes of the command, for scripts. */
export const exitCodes = {
  /** Done; every check passed. */
  ok: 0,
  /** The answer is no: a check failed, a request was refused, an altered line was found, a version exists already. */
  failed: 1,
  /** A wrong argument, option, environment variable or file. Nothing was done. */
  usage: 2,
  /** A store or a server cannot be reached, or did not answer in time. Try again. */
  unavailable: 3,
  /** The caller, version, credential or session does not exist. */
  notFound: 4,
  /** A bug in the command itself. */
  internal: 70,
  /** Ended by Ctrl+C. */
  interrupted: 130,
} as const

/** One of {@link exitCodes}. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** Ends a command with one line, which says what is wrong and what to do, and with an exit code. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: ExitCode

  constructor(message: string, exitCode: ExitCode, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** A wrong argument, option, variable or file; nothing was done. */
export const usageError = (message: string): CommandError => new CommandError(message, exitCodes.usage)
/** The answer is no. */
export const failedError = (message: string): CommandError => new CommandError(message, exitCodes.failed)
/** Something that was named does not exist. */
export const notFoundError = (message: string): CommandError => new CommandError(message, exitCodes.notFound)
/** A store or a server cannot be reached. */
export const unavailableError = (message: string, cause?: unknown): CommandError =>
  new CommandError(message, exitCodes.unavailable, { cause })

/** A file cannot be read or written. `error` is what Node threw. */
export function fileError(file: string, verb: 'read' | 'written', error: unknown): CommandError {
  const { code = 'unknown error' } = error as NodeJS.ErrnoException
  const place = verb === 'read' ? 'its permissions' : 'the permissions of its folder'
  return usageError(`${file} cannot be ${verb} (${code}): correct its name or ${place}`)
}

/** Why a connection failed, in one word or two: the code of the error, or of the first attempt. */
export function connectionProblem(error: unknown): string {
  const { code, message, errors } = error as { code?: string; message?: string; errors?: { code?: string }[] }
  return code || errors?.[0]?.code || message || 'no answer'
}

/** How a command that threw ends. */
export interface Ending {
  readonly exitCode: ExitCode
  /** One line; undefined when everything has been printed, as after `--help`. */
  readonly message: string | undefined
}

/** Errors of the packages that answer the user. By code, because not every package is loaded. */
const ANSWERS: Readonly<Record<string, ExitCode>> = {
  ERR_COUNTERSIGN_OPTION_INVALID: exitCodes.usage,
  ERR_COUNTERSIGN_OPTION_MISSING: exitCodes.usage,
  ERR_COUNTERSIGN_OPTION_UNKNOWN: exitCodes.usage,
  ERR_COUNTERSIGN_HMAC_URL_INVALID: exitCodes.usage,
  ERR_COUNTERSIGN_HMAC_VERSION_EXISTS: exitCodes.failed,
  ERR_COUNTERSIGN_HMAC_ROTATION_CONFLICT: exitCodes.failed,
  ERR_COUNTERSIGN_HMAC_SEALED_UNREADABLE: exitCodes.failed,
}

/** The exit code and the line for whatever a command threw. Never throws. */
export function endingOf(error: unknown): Ending {
  if (error instanceof CommanderError) return endingOfCommander(error)
  if (error instanceof CommandError) return { exitCode: error.exitCode, message: oneLine(error.message) }
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  if (isUnavailable(error)) {
    const advice = 'Check the address and try again'
    return { exitCode: exitCodes.unavailable, message: oneLine(`${String(message)}. ${advice}`) }
  }
  const answer = typeof code === 'string' ? ANSWERS[code] : undefined
  if (answer !== undefined) return { exitCode: answer, message: oneLine(String(message)) }
  const { error: name, at } = describeError(error)
  const place = at === undefined ? '' : ` (${at})`
  return {
    exitCode: exitCodes.internal,
    message: oneLine(
      `internal error: ${name}: ${String(message ?? error)}${place}. This is a bug in the command: report it`,
    ),
  }
}

const PRINTED = new Set(['commander.helpDisplayed', 'commander.version'])

function endingOfCommander({ code, message, exitCode }: CommanderError): Ending {
  if (PRINTED.has(code)) return { exitCode: exitCodes.ok, message: undefined }
  // Commander prints the help when a command lacks its subcommand.
  if (code === 'commander.help') {
    return { exitCode: exitCode === 0 ? exitCodes.ok : exitCodes.usage, message: undefined }
  }
  // What follows an equals sign may be a secret, also after a name that is misspelt.
  const words = message.replace(/^error: /, '').replace(/^(unknown option '[^'=]*)=.*'/s, "$1'")
  const isSecret = /unknown option '--?(token|secret|key|kek|password|passwd)\b/.test(words)
  const advice =
    'Secrets are not taken from the command line, which every user of the machine can read: use a file, standard input or the environment'
  return { exitCode: exitCodes.usage, message: oneLine(isSecret ? `${words}. ${advice}` : words) }
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ').trim()
}
