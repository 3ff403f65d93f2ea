import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { AllOption } from './command.js'
import type { Context } from './context.js'
import { failedError, usageError } from './errors.js'

/** Asks before `--all` does what cannot be undone. @throws {CommandError} unless a person answers yes. */
export async function confirmAll(
  { stdin, output, signal }: Context,
  { all = false, yes = false }: AllOption,
  what: string,
): Promise<void> {
  if (yes && !all) throw usageError('--yes needs --all')
  if (!all || yes) return
  if (stdin.isTTY !== true) throw usageError(`${what} This is not a terminal: confirm with --yes`)
  output.note(`${what} Type yes to continue:`)
  const reader = createInterface({ input: stdin })
  try {
    const answer = await Promise.race([
      once(reader, 'line', { signal }).then(([line]) => String(line)),
      once(reader, 'close').then(() => ''),
    ])
    if (answer.trim().toLowerCase() !== 'yes') throw failedError('nothing was changed: the answer was not yes')
  } finally {
    reader.close()
  }
}
