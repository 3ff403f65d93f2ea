import { type Command, Option } from 'commander'
import { collect } from '../collect.js'
import { type Define, defineGroup } from '../command.js'
import { parsePositive, parseSeconds } from '../durations.js'
import type { TailOptions } from './tail.js'
import type { VerifyOptions } from './verify.js'

/** Adds `audit tail` and `audit verify`. */
export function addAuditCommands(program: Command, define: Define): void {
  const audit = defineGroup(
    program,
    'audit',
    'audit files that the jsonl sink wrote',
    'countersign audit verify audit.jsonl',
  )
  define<TailOptions>(audit, {
    usage: 'tail <file>',
    summary: 'show the last events of an audit file',
    details:
      'With --json the lines as they are. A filter ending in "*" is the beginning of a text; of a repeated one any holds.',
    examples: [
      'countersign audit tail audit.jsonl --outcome failure --since 1h',
      'countersign audit tail audit.jsonl --follow --type "hmac.*" --severity warning',
    ],
    options: (command) =>
      command
        .option('-n, --lines <n>', 'how many (default: 20)', parsePositive)
        .option('-f, --follow', 'go on with what is appended, until Ctrl+C')
        .option('--type <type>', 'of this type', collect)
        .option('--gate <name>', 'of this gate', collect)
        .option('--reason <reason>', 'with this reason', collect)
        .option('--principal <id>', 'of this principal', collect)
        .option('--credential <id>', 'of this credential', collect)
        .addOption(new Option('--outcome <outcome>', 'with this outcome').choices(['success', 'failure', 'error']))
        .addOption(
          new Option('--severity <severity>', 'of this severity at least').choices(['info', 'warning', 'critical']),
        )
        .option('--since <time>', 'not older than this, as 15m or 24h', parseSeconds),
    run: async (context, options, file) => (await import('./tail.js')).tail(context, options, file as string),
  })
  define<VerifyOptions>(audit, {
    usage: 'verify <file>',
    summary: 'follow the chain of hashes and name the first line that was altered',
    details: 'Note the head that it prints elsewhere: with --head a file that was cut or written anew is found.',
    examples: ['countersign audit verify audit.jsonl', 'countersign audit verify audit.jsonl --head 3b1f…'],
    options: (command) => command.option('--head <hash>', 'a head that was noted before'),
    run: async (context, options, file) => (await import('./verify.js')).verify(context, options, file as string),
  })
}
