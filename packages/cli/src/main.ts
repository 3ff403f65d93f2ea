import type { Context } from './context.js'
import { describeError } from './describe-error.js'
import { type ExitCode, exitCodes } from './exit-codes.js'
import { createProgram } from './program.js'

/** Runs one command line to its end and tells how it ended. Never throws: what is wrong is one line on stderr. */
export async function main(words: readonly string[], context: Context): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.ok
  const program = createProgram(context, (ended) => {
    exitCode = ended ?? exitCodes.ok
  })
  try {
    await program.parseAsync(words, { from: 'user' })
    return exitCode
  } catch (error) {
    if (context.signal.aborted) return exitCodes.interrupted
    const ending = describeError(error)
    if (ending.message !== undefined) context.output.note(`countersign: ${ending.message}`)
    return ending.exitCode
  }
}
