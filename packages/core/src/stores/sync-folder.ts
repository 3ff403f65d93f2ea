import { closeSync, constants, fsyncSync, openSync } from 'node:fs'
import { dirname } from 'node:path'

/** A file's new name is on disk only when its folder is. */
export function syncFolderOf(file: string): void {
  if (process.platform === 'win32') return
  const folder = openSync(dirname(file), constants.O_RDONLY)
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
