/** Longer than any event: a file without newlines must not fill the memory. */
export const MAX_LINE_BYTES = 1_048_576

/** One line of a file, with its number. */
export interface FileLine {
  /** Without the newline; cut at {@link MAX_LINE_BYTES}. */
  readonly bytes: Buffer
  /** False for a last line that no newline ends. */
  readonly isEnded: boolean
}

const NEWLINE = 0x0a

/** The lines of a file as it streams in, in memory that does not grow with the file. */
export async function* splitLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<FileLine> {
  let parts: Buffer[] = []
  let length = 0
  const keep = (part: Buffer): void => {
    if (length < MAX_LINE_BYTES && part.length > 0) parts.push(part.subarray(0, MAX_LINE_BYTES - length))
    length += part.length
  }
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      keep(chunk.subarray(start, end))
      yield { bytes: Buffer.concat(parts), isEnded: true }
      parts = []
      length = 0
      start = end + 1
    }
    keep(chunk.subarray(start))
  }
  if (length > 0) yield { bytes: Buffer.concat(parts), isEnded: false }
}
