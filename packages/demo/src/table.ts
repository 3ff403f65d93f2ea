import { type Caller, callers } from './duel/callers.js'
import type { Result, Row } from './duel/row.js'

/** What became of each row, by its id: what both sides answered, or why it could not be sent. */
export type Outcomes = ReadonlyMap<string, Result | Error>

/** What ours answered, in a few words. */
export const oursInWords = ({ ours }: Result): string => `${ours.outcome} ${ours.status} ${ours.reason}`

/** What the usual choice answered, in a few words; `✗` is what should not be. */
export const usualInWords = ({ usual }: Result): string =>
  `${usual.outcome} ${usual.status}${usual.isRight ? '' : ' ✗'}`

/** Whether ours did in a row what the row says. */
export const isGood = (outcome: Result | Error | undefined): outcome is Result =>
  outcome !== undefined && !(outcome instanceof Error) && outcome.ours.isAsExpected

/** What both sides answered, as a table in plain text, columns as wide as they need to be. */
export function formatTable(outcomes: Outcomes): string {
  const header = ['', 'request', 'Countersign', 'the usual choice']
  const tables = callers.map(({ rows }) => rows.map((row) => lineOf(row, outcomes.get(row.id))))
  const widths = header.map((title, column) =>
    Math.max(...[header, ...tables.flat()].map((line) => (line[column] ?? title).length)),
  )
  const format = (line: readonly string[]) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  const rule = widths.map((width) => '─'.repeat(width)).join('  ')
  const blocks = tables.map((lines, index) => {
    const { title, gate, usual } = callers[index] as Caller
    return [`${title}: ${gate} | ${usual}`, ...lines.map(format)].join('\n')
  })
  return [[format(header), rule].join('\n'), ...blocks].join('\n\n')
}

function lineOf({ title, ours }: Row, outcome: Result | Error | undefined): readonly string[] {
  if (outcome === undefined) return ['✗', title, 'not sent']
  if (outcome instanceof Error) return ['✗', title, outcome.message.split('\n', 1)[0] ?? '']
  const expected = isGood(outcome) ? '' : `, expected ${ours.outcome} ${ours.status} ${ours.reason}`
  return [isGood(outcome) ? '✓' : '✗', title, `${oursInWords(outcome)}${expected}`, usualInWords(outcome)]
}
