import type { AuditEvent } from '@countersign/core'
import type { JsonOption } from '../command.js'
import type { Context } from '../context.js'
import { fileError } from '../errors.js'
import { createFilter, type FilterOptions, formatEvent, parseEvent } from './events.js'
import { follow, readBack } from './read-lines.js'

/** The options of `audit tail`. */
export interface TailOptions extends FilterOptions {
  readonly lines?: number
  readonly follow?: boolean
}

/** `audit tail`: the last events that match and, with `--follow`, new ones. */
export async function tail(context: Context, options: TailOptions & JsonOption, file: string): Promise<undefined> {
  const { output, signal } = context
  const isWanted = createFilter(options)
  let others = 0
  const keep = (line: string) => {
    const event = parseEvent(line)
    if (event === undefined) others += 1
    return event !== undefined && isWanted(event) ? { line, event } : undefined
  }
  const print = ({ line, event }: { readonly line: string; readonly event: AuditEvent }) =>
    output.line(options.json ? line : formatEvent(event, output))
  const { kept, size } = readLast(file, options.lines ?? 20, keep)
  kept.forEach(print)
  if (others > 0) {
    output.note(`${others} ${others === 1 ? 'line is no event' : 'lines are no events'}: run "audit verify".`)
  }
  if (!options.follow) return
  for await (const line of follow(file, size, signal)) {
    const found = keep(line)
    if (found !== undefined) print(found)
  }
}

function readLast<T>(file: string, count: number, keep: (line: string) => T | undefined) {
  try {
    return readBack(file, count, keep)
  } catch (error) {
    throw fileError(file, 'read', error)
  }
}
