import { createCommandAudit } from './audit-sink.js'
import type { Context } from './context.js'
import { describeError } from './describe-error.js'
import { type ExitCode, exitCodes } from './exit-codes.js'
import { createProgram } from './program.js'

/** Runs one command line to its end and tells how it ended. Never throws: what is wrong is one line on stderr. */
export async function main(words: readonly string[], world: Omit<Context, 'audit'>): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.ok
  try {
    const { audit, record, close } = createCommandAudit(world.env)
    const program = createProgram(
      { ...world, audit },
      {
        record,
        onEnd: (ended) => {
          exitCode = ended
        },
      },
    )
    try {
      await program.parseAsync(words, { from: 'user' })
    } finally {
      await close()
    }
    return exitCode
  } catch (error) {
    if (world.signal.aborted) return exitCodes.interrupted
    const ending = describeError(error)
    if (ending.message !== undefined) world.output.note(`countersign: ${ending.message}`)
    return ending.exitCode
  }
}
