import { randomBytes } from 'node:crypto'
import { open, rename, rm, stat } from 'node:fs/promises'

/** Options of {@link writePrivateFile}. */
export interface PrivateFileOptions {
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
  content: string,
  { keepMode = false }: PrivateFileOptions = {},
): Promise<void> {
  const mode = keepMode ? await modeOf(file) : undefined
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`
  try {
    // `wx` fails on a file or a link that somebody else put there.
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(content)
      if (mode !== undefined) await handle.chmod(mode)
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

async function modeOf(file: string): Promise<number | undefined> {
  return stat(file).then(
    ({ mode }) => mode,
    () => undefined,
  )
}
