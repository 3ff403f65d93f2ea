import type { IncomingMessage } from 'node:http'

const NONE: readonly string[] = Object.freeze([])

/**
 * The values of a header field, one for each line of it, as they came and in order; `name` in lower case. Node's `headers`
 * silently keeps the first of two, and its `headersDistinct`, which has both, is computed for all fields of a request at
 * once: that costs more than the rest of a decision.
 */
export function fieldLines({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>, name: string): readonly string[] {
  let lines: string[] | undefined
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const raw = rawHeaders[index] as string
    if (raw.length !== name.length || raw.toLowerCase() !== name) continue
    const value = rawHeaders[index + 1] as string
    if (lines === undefined) lines = [value]
    else lines.push(value)
  }
  return lines ?? NONE
}
