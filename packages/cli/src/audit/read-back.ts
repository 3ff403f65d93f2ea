import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const BLOCK_BYTES = 64 * 1024

/** The last lines of a file for which `keep` returns something, oldest first, and where the file ended. */
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
    // What stands before the first newline of the blocks that were read: the end of a longer line.
    let rest = Buffer.alloc(0)
    while (end > 0 && kept.length < count) {
      const start = Math.max(0, end - BLOCK_BYTES)
      const block = Buffer.alloc(end - start)
      readSync(fd, block, 0, block.length, start)
      const bytes = Buffer.concat([block, rest])
      const firstBreak = start === 0 ? -1 : bytes.indexOf(0x0a)
      rest =
        start === 0 || firstBreak === -1 ? (start === 0 ? Buffer.alloc(0) : bytes) : bytes.subarray(0, firstBreak + 1)
      const whole = start === 0 ? bytes : firstBreak === -1 ? Buffer.alloc(0) : bytes.subarray(firstBreak + 1)
      const lines = whole.toString('utf8').split('\n')
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
