import { fstatSync, readSync } from 'node:fs'
import { GENESIS, isStart, readLink, START_LENGTH } from './chain.js'
import { MAX_LINE_BYTES } from './split-lines.js'

/** The end of a file: where the next line follows. */
export interface FileTail {
  /** The hash of the last whole line, no matter who wrote it. */
  readonly head: string
  /** Bytes in the file. */
  readonly size: number
  /** False when the last line was cut short: a newline must come first. */
  readonly isEnded: boolean
}

/** Where an open file ends. Undefined when the file holds something, and none of it is a line of a chain. */
export function readTail(fd: number): FileTail | undefined {
  const { size } = fstatSync(fd)
  if (size === 0) return { head: GENESIS, size, isEnded: true }
  // Two lines always fit: the last whole one, and one that was cut short after it.
  const bytes = Buffer.alloc(Math.min(size, 2 * MAX_LINE_BYTES))
  const read = readSync(fd, bytes, 0, bytes.length, size - bytes.length)
  const text = bytes.subarray(0, read)
  const isEnded = text[text.length - 1] === 0x0a
  let end = isEnded ? text.length - 1 : text.length
  while (end > 0) {
    const start = text.lastIndexOf(0x0a, end - 1) + 1
    const link = readLink(text.subarray(start, end))
    if (link !== undefined) return { head: link.hash, size, isEnded }
    end = start - 1
  }
  // A first line that was cut short is the start of one of ours.
  const [first = ''] = text.toString('latin1', 0, START_LENGTH).split('\n')
  const isTornStart = size < MAX_LINE_BYTES && isStart(first)
  return isTornStart ? { head: GENESIS, size, isEnded } : undefined
}
