import { randomBytes } from 'node:crypto'
import { appendFileSync, renameSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'

/**
 * Writes a file in one step, readable by its owner alone (mode 0600): who reads it sees the old text or the new one,
 * and after a crash one of them is there. `last` is asked for what came up meanwhile, in the very tick in which the
 * new text takes the place of the old one.
 */
export async function writePrivateFile(
  file: string,
  chunks: Iterable<string>,
  last: () => string = () => '',
): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`
  try {
    // `wx`: never through a file or a link that somebody else put there.
    const handle = await open(temporary, 'wx', 0o600)
    try {
      // Not `write`, which may write a part and say so.
      for (const chunk of chunks) await handle.writeFile(chunk)
      await handle.sync()
    } finally {
      await handle.close()
    }
    const rest = last()
    if (rest !== '') appendFileSync(temporary, rest, { flush: true })
    renameSync(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
