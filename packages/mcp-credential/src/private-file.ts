import { randomBytes } from 'node:crypto'
import { appendFileSync, renameSync } from 'node:fs'
import { open, rm, stat } from 'node:fs/promises'

/** Options of {@link writePrivateFile}. */
export interface PrivateFileOptions {
  /** Called in the tick in which the new file replaces the old one: what it returns is appended. */
  readonly last?: (() => string) | undefined
  /** Keeps the mode of a file that exists. Default false: the mode is always 0600. */
  readonly keepMode?: boolean | undefined
}

/**
 * Writes a file in one step, readable by its owner alone (mode 0600). A reader sees the old text or the new one, and
 * after a crash one of them is there.
 *
 * @throws the file system's error; the old file is unchanged then.
 */
export async function writePrivateFile(
  file: string,
  content: string | Iterable<string>,
  { last, keepMode = false }: PrivateFileOptions = {},
): Promise<void> {
  const mode = keepMode ? await modeOf(file) : undefined
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`
  try {
    // `wx` fails on a file or a link that somebody else put there.
    const handle = await open(temporary, 'wx', 0o600)
    try {
      // `write` may write only a part.
      for (const chunk of typeof content === 'string' ? [content] : content) await handle.writeFile(chunk)
      if (mode !== undefined) await handle.chmod(mode)
      await handle.sync()
    } finally {
      await handle.close()
    }
    const rest = last?.() ?? ''
    if (rest !== '') appendFileSync(temporary, rest, { flush: true })
    renameSync(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function modeOf(file: string): Promise<number | undefined> {
  return stat(file).then(
    ({ mode }) => mode,
    () => undefined,
  )
}
