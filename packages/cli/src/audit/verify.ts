import { verifyJsonl } from '@countersign/audit/jsonl'
import type { CommandDefinition } from '../command.js'
import { exitCodes, fileError, usageError } from '../errors.js'

interface VerifyOptions {
  readonly expect?: string
}

/** `audit verify`: checks the hash chain of a file. A line that a crash truncated is reported, but is not an alteration. */
export const auditVerify: CommandDefinition<VerifyOptions, [file: string]> = {
  usage: 'verify <file>',
  summary: 'check the hash chain and name the first altered line',
  details:
    'Keep the head that it prints, or that the sink publishes, in another place: with --expect it finds a truncated or rewritten file.',
  examples: ['countersign audit verify audit.jsonl', 'countersign audit verify audit.jsonl --expect 3b1f…'],
  options: (command) =>
    command.option('--expect <hash>', 'the head that an earlier run printed, or that the sink published'),
  async run({ output }, { expect, json }, file) {
    if (expect !== undefined && !/^[0-9a-f]{64}$/.test(expect)) {
      throw usageError('--expect must be 64 hexadecimal digits, as an earlier "audit verify" printed them')
    }
    const progress = output.progress('Lines verified')
    const onLine = (line: number) => {
      if (line % 1000 === 0) progress.report(line)
    }
    const result = await verifyJsonl(file, { onLine, ...(expect === undefined ? {} : { expect }) })
      .catch((error: unknown) => {
        throw fileError(file, 'read', error)
      })
      .finally(() => progress.done())
    const { isIntact, lines, torn, altered, chains } = result
    if (json) output.json({ file, ...result })
    else {
      const count = `${lines} ${lines === 1 ? 'line' : 'lines'}`
      for (const line of torn) {
        output.line(
          `${output.style('yellow', '!')} line ${line} was cut short by a crash; the lines after it are intact`,
        )
      }
      const place = chains.length > 1 ? ` in ${chains.length} chains` : ''
      if (altered === undefined) {
        output.line(`${output.style('green', '✓')} ${count}${place} intact, head ${result.head}`)
      } else {
        output.line(`${output.style('red', '✗')} line ${altered.line}: ${altered.problem}`)
        output.line(`    ${count} before it are intact, head ${result.head}`)
      }
    }
    return isIntact ? exitCodes.ok : exitCodes.failed
  },
}
