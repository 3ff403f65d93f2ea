import { randomBytes } from 'node:crypto'
import { chmodSync, closeSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { usageError } from './command-error.js'

/**
 * Writes a file that holds a secret: readable for its owner alone (an existing file keeps its mode), and as a whole or
 * not at all, so that whoever reads it meanwhile sees the old content or the new one.
 */
export function writePrivateFile(file: string, text: string): void {
  const mode = modeOf(file) ?? 0o600
  const temporary = join(dirname(file), `.countersign-${randomBytes(9).toString('base64url')}`)
  try {
    const handle = openSync(temporary, 'wx', 0o600)
    try {
      writeSync(handle, text)
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
    chmodSync(temporary, mode)
    renameSync(temporary, file)
  } catch (error) {
    rmSync(temporary, { force: true })
    const { code = 'unwritable' } = error as NodeJS.ErrnoException
    throw usageError(`${file} cannot be written (${code}): correct its name or the permissions of its folder`)
  }
}

function modeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.mode
}
