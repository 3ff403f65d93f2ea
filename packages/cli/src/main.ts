import { type Audit, createAudit, type Environment } from '@countersign/core'
import type { Context } from './context.js'
import { type ExitCode, endingOf, exitCodes, unavailableError } from './errors.js'
import { createProgram } from './program.js'

/** Runs one command line and returns its exit code. Never throws: an error is one line on standard error. */
export async function main(given: readonly string[], world: Omit<Context, 'audit'>): Promise<ExitCode> {
  const words = withoutHelp(given)
  let exitCode: ExitCode = exitCodes.ok
  const onEnd = (ended: ExitCode) => {
    exitCode = ended
  }
  try {
    const { audit, record, close } = commandAudit(world.env)
    const program = await createProgram({ ...world, audit }, { record, onEnd }, words)
    try {
      await program.parseAsync(words, { from: 'user' })
    } finally {
      await close()
    }
    return exitCode
  } catch (error) {
    if (world.signal.aborted) return exitCodes.interrupted
    const ending = endingOf(error)
    if (ending.message !== undefined) world.output.note(errorText(ending.message, ending.exitCode, words))
    return ending.exitCode
  }
}

/** One line for people, or with `--json` one for programs. */
function errorText(message: string, exitCode: ExitCode, words: readonly string[]): string {
  const end = words.indexOf('--')
  const isJson = words.slice(0, end === -1 ? undefined : end).includes('--json')
  if (!isJson) return `countersign: ${message}`
  const code = Object.entries(exitCodes).find(([, value]) => value === exitCode)?.[0]
  return JSON.stringify({ error: { code, exitCode, message } })
}

/** `help hmac rotate` is `hmac rotate --help`: commander's own `help` knows one level. */
function withoutHelp(words: readonly string[]): readonly string[] {
  return words[0] === 'help' ? [...words.slice(1), '--help'] : words
}

interface CommandAudit {
  readonly audit: Audit
  /** Opens the file before the first change. @throws when it cannot be opened. */
  record(): Promise<void>
  /** Waits until everything is written. @throws {CommandError} when a change could not be recorded. */
  close(): Promise<void>
}

/** The emitter of one run. With `COUNTERSIGN_AUDIT_JSONL` its events go to that file. */
function commandAudit(env: Environment): CommandAudit {
  const audit = createAudit()
  const path = env.COUNTERSIGN_AUDIT_JSONL
  return {
    audit,
    async record() {
      if (path === undefined) return
      const { jsonl } = await import('@countersign/audit/jsonl')
      audit.subscribe(jsonl(path))
    },
    async close() {
      await audit.flush()
      const isLost = audit.stats().sinks.some(({ failed, dropped }) => failed + dropped > 0)
      await audit.close()
      if (isLost) {
        throw unavailableError(`the change was made, but could not be recorded in ${path}: check the file and its disk`)
      }
    },
  }
}
