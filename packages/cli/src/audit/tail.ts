import type { AuditEvent } from '@countersign/core'
import { Option } from 'commander'
import { type CommandDefinition, collect } from '../command.js'
import { parsePositive, parseSeconds } from '../durations.js'
import { fileError } from '../errors.js'
import { createFilter, type FilterOptions, formatEvent, parseEvent } from './events.js'
import { follow, readBack } from './read-lines.js'

interface TailOptions extends FilterOptions {
  readonly lines?: number
  readonly follow?: boolean
}

/** `audit tail`: the last events that match and, with `--follow`, new ones. */
export const auditTail: CommandDefinition<TailOptions, [file: string]> = {
  usage: 'tail <file>',
  summary: 'show the last events of an audit file',
  details:
    'With --json the lines as they are. A filter that ends in "*" matches a prefix; a repeated filter matches any of its values.',
  examples: [
    'countersign audit tail audit.jsonl --outcome failure --since 1h',
    'countersign audit tail audit.jsonl --follow --type "hmac.*" --severity warning',
  ],
  options: (command) =>
    command
      .option('-n, --lines <n>', 'how many (default: 20)', parsePositive)
      .option('-f, --follow', 'print new events until Ctrl+C')
      .option('--type <type>', 'with this type', collect)
      .option('--gate <name>', 'of this gate', collect)
      .option('--reason <reason>', 'with this reason', collect)
      .option('--principal <id>', 'of this principal', collect)
      .option('--credential <id>', 'of this credential', collect)
      .addOption(new Option('--outcome <outcome>', 'with this outcome').choices(['success', 'failure', 'error']))
      .addOption(
        new Option('--severity <severity>', 'with at least this severity').choices(['info', 'warning', 'critical']),
      )
      .option('--since <time>', 'at most this old, as 15m or 24h', parseSeconds),
  async run(context, options, file) {
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
      output.note(`${others} ${others === 1 ? 'line is not an event' : 'lines are not events'}: run "audit verify".`)
    }
    if (!options.follow) return
    for await (const line of follow(file, size, signal)) {
      const found = keep(line)
      if (found !== undefined) print(found)
    }
  },
}

function readLast<T>(file: string, count: number, keep: (line: string) => T | undefined) {
  try {
    return readBack(file, count, keep)
  } catch (error) {
    throw fileError(file, 'read', error)
  }
}
