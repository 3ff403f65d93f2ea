import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

const BLOCK_BYTES = 64 * 1024
const POLL_MS = 200

/** The last lines of a file for which `keep` returns something, oldest first, and the size of the file then. */
export function readBack<T>(
  file: string,
  count: number,
  keep: (line: string) => T | undefined,
): { readonly kept: T[]; readonly size: number } {
  const fd = openSync(file, 'r')
  try {
    const { size } = fstatSync(fd)
    const kept: T[] = []
    let end = size
    // The beginning of what was read: the end of a line that starts in an earlier block.
    let rest = Buffer.alloc(0)
    while (end > 0 && kept.length < count) {
      const start = Math.max(0, end - BLOCK_BYTES)
      const block = Buffer.alloc(end - start)
      readSync(fd, block, 0, block.length, start)
      const bytes = Buffer.concat([block, rest])
      // Whole lines begin after the first newline, and at the beginning of the file.
      const wholeFrom = start === 0 ? 0 : bytes.indexOf(0x0a) + 1
      const isPart = start > 0 && wholeFrom === 0
      rest = isPart ? bytes : bytes.subarray(0, wholeFrom)
      const lines = isPart ? [] : bytes.toString('utf8', wholeFrom).split('\n')
      for (const line of lines.reverse()) {
        if (kept.length >= count) break
        const value = line === '' ? undefined : keep(line)
        if (value !== undefined) kept.push(value)
      }
      end = start
    }
    return { kept: kept.reverse(), size }
  } finally {
    closeSync(fd)
  }
}

/**
 * The whole lines that are appended to a file after a position, until the signal aborts. A file that was truncated, or
 * replaced by a new one of its name, is read from its beginning.
 */
export async function* follow(file: string, from: number, signal: AbortSignal): AsyncGenerator<string> {
  let handle: FileHandle | undefined = await open(file, 'r')
  let { ino } = await handle.stat()
  let position = from
  let rest = Buffer.alloc(0)
  try {
    while (!signal.aborted) {
      const { size } = await handle.stat()
      if (size < position) {
        position = 0
        rest = Buffer.alloc(0)
      }
      while (position < size) {
        const block = Buffer.alloc(Math.min(size - position, BLOCK_BYTES))
        const { bytesRead } = await handle.read(block, 0, block.length, position)
        if (bytesRead === 0) break
        position += bytesRead
        const bytes = Buffer.concat([rest, block.subarray(0, bytesRead)])
        const end = bytes.lastIndexOf(0x0a) + 1
        rest = bytes.subarray(end)
        for (const line of bytes.toString('utf8', 0, end).split('\n')) if (line !== '') yield line
      }
      const named = await stat(file).catch(() => undefined)
      if (named !== undefined && named.ino !== ino && position >= size) {
        await handle.close()
        handle = await open(file, 'r')
        ino = named.ino
        position = 0
        rest = Buffer.alloc(0)
      } else await delay(POLL_MS, undefined, { signal }).catch(() => undefined)
    }
  } finally {
    await handle?.close()
  }
}
