import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'

/**
 * Writes a file in one step, readable by its owner alone (mode 0600): who reads it sees the old text or the new one,
 * and after a crash one of them is there.
 */
export async function writePrivateFile(file: string, chunks: Iterable<string>): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`
  try {
    // `wx`: never through a file or a link that somebody else put there.
    const handle = await open(temporary, 'wx', 0o600)
    try {
      for (const chunk of chunks) await handle.write(chunk)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
