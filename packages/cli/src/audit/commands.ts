import { Option } from 'commander'
import { type CommandDefinition, collect } from '../command.js'
import { parsePositive, parseSeconds } from '../durations.js'
import { type TailOptions, tail } from './tail.js'
import { type VerifyOptions, verify } from './verify.js'

const tailCommand: CommandDefinition<TailOptions> = {
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
  run: tail,
}

const verifyCommand: CommandDefinition<VerifyOptions> = {
  usage: 'verify <file>',
  summary: 'check the hash chain and name the first altered line',
  details: 'Keep the head that it prints in another place: with --head it finds a truncated or rewritten file.',
  examples: ['countersign audit verify audit.jsonl', 'countersign audit verify audit.jsonl --head 3b1f…'],
  options: (command) => command.option('--head <hash>', 'the head that an earlier run printed'),
  run: verify,
}

/** The commands of `audit`. */
export const auditCommands: readonly CommandDefinition<never>[] = [tailCommand, verifyCommand]
