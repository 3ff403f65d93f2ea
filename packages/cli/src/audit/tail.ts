import type { AuditEvent } from '@countersign/audit'
import { usageError } from '../command-error.js'
import type { Context } from '../context.js'
import { type ExitCode, exitCodes } from '../exit-codes.js'
import { createFilter, type FilterOptions } from './event-filter.js'
import { formatEvent, parseEvent } from './event-line.js'
import { follow } from './follow.js'
import { readBack } from './read-back.js'

/** The options of `audit tail`. */
export interface TailOptions extends FilterOptions {
  readonly lines?: number
  readonly follow?: boolean
  readonly json?: boolean
}

/**
 * `audit tail`: the last events that are wanted and, on demand, those that follow. Throws for a file that cannot be
 * read.
 */
export async function tail(context: Context, options: TailOptions, file: string): Promise<ExitCode> {
  const { output, signal } = context
  const isWanted = createFilter(options)
  let torn = 0
  const keep = (line: string) => {
    const event = parseEvent(line)
    if (event === undefined) torn += 1
    return event !== undefined && isWanted(event) ? { line, event } : undefined
  }
  const print = ({ line, event }: { readonly line: string; readonly event: AuditEvent }) =>
    output.line(options.json ? line : formatEvent(event, output))
  const { kept, size } = readLast(file, options.lines ?? 20, keep)
  kept.forEach(print)
  if (torn > 0) output.note(`${torn} ${torn === 1 ? 'line is' : 'lines are'} no event: "audit verify" tells why.`)
  if (!options.follow) return exitCodes.ok
  for await (const line of follow(file, size, signal)) {
    const found = keep(line)
    if (found !== undefined) print(found)
  }
  return exitCodes.ok
}

function readLast<T>(file: string, count: number, keep: (line: string) => T | undefined) {
  try {
    return readBack(file, count, keep)
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException
    throw usageError(`${file} cannot be read (${code}): correct its name or its permissions`)
  }
}
