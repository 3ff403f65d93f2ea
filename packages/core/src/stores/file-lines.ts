import { fstatSync, readSync } from 'node:fs'

const NEWLINE = 0x0a
const PART = 1_048_576
/** No store writes a line like that: what is read is no log, or its end is gone. */
const MAX_LINE = 128 * PART

/** A line of a file, without its end. */
export interface Line {
  readonly text: string
  /** Nothing comes after it. */
  readonly isLast: boolean
}

/**
 * The lines of a file, in parts: a log may be larger than what Node reads at once (2 GiB). A last line without an end is none;
 * one that is too long to be one is empty.
 */
export function* linesOf(fd: number): Generator<Line> {
  const { size } = fstatSync(fd)
  let begun: Buffer[] = []
  for (let at = 0; at < size; ) {
    const part = Buffer.allocUnsafe(PART)
    const read = readSync(fd, part, 0, PART, at)
    if (read === 0) return
    at += read
    let from = 0
    for (let to = part.subarray(0, read).indexOf(NEWLINE); to !== -1; ) {
      const end = part.subarray(from, to)
      const bytes = begun.length === 0 ? end : Buffer.concat([...begun, end])
      begun = []
      from = to + 1
      yield { text: bytes.toString(), isLast: at - read + from === size }
      to = part.subarray(0, read).indexOf(NEWLINE, from)
    }
    begun.push(part.subarray(from, read))
    if (begun.length * PART > MAX_LINE) return yield { text: '', isLast: false }
  }
}
