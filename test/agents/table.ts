import type { Driver } from './driver.js'
import type { Result, Results } from './results.js'
import { isOAuth, type Run, type Scenario } from './scenarios.js'

/** Where the tables stand in the page. */
const BEGIN = '<!-- Made by npm run agents -- --write -->'

/** What the tool answers; what the gate says of a credential that has ended; what the guard says. */
const OPENED = 'opened for agent'
const REASONS = [
  'The app has ended this session.',
  'A newer credential has replaced this one.',
  'This session was idle for too long and has ended.',
]
const GUARD = 'This server does not use OAuth.'

/** The page with these results in place of what it has. */
export function withTables(
  page: string,
  results: Results,
  drivers: readonly Driver[],
  scenarios: readonly Scenario[],
): string {
  const [text = ''] = page.split(BEGIN)
  const known = drivers.flatMap((driver) => {
    const result = results[driver.name]
    return result === undefined ? [] : [{ driver, result }]
  })
  const working = scenarios.filter(({ ends }) => ends !== true)
  const first = tableOf(
    ['client', 'version', 'configuration', ...working.map(({ title }) => title)],
    known.map(({ driver, result }) => [
      ...[driver.name, result.version, handed(driver)],
      ...working.map((scenario) => workingCell(scenario, result.runs[scenario.id])),
    ]),
  )
  const second = (['http', 'jsonrpc'] as const).map((deadAs) => {
    const ended = scenarios.filter((scenario) => scenario.ends && scenario.deadAs === deadAs)
    const table = tableOf(
      ['client', ...ended.map(({ title }) => title)],
      known.map(({ driver, result }) => [driver.name, ...ended.map(({ id }) => endedCell(result.runs[id]))]),
    )
    return `### deadAs: '${deadAs}'\n\n${table}`
  })
  const starting = scenarios.filter(({ ends, deadAs }) => ends && deadAs === undefined)
  const third = tableOf(
    ['client', ...starting.map(({ title }) => title)],
    known.map(({ driver, result }) => [
      driver.name,
      ...starting.map((scenario) => startCell(scenario, driver, result)),
    ]),
  )
  return [
    `${text}${BEGIN}\n\n## While the credential lives\n\n${first}`,
    `## After it has ended\n\n${second.join('\n\n')}`,
    `## When there is nothing to start with\n\n${third}\n`,
  ].join('\n\n')
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

function handed({ client, file }: Driver): string {
  if (file !== undefined) return `\`${client}\` with \`file\``
  return client === 'acp' || client === 'sdk' ? `\`${client}\`, in memory` : `\`${client}\`, by the environment`
}

const isOpened = (text: string | undefined) => text?.includes(OPENED) === true

function workingCell({ before, act }: Scenario, run: Run | undefined): string {
  if (run === undefined) return 'not run'
  if (run.ended === 'never') return 'does not end'
  const { results } = run
  if (results.length === 0) return 'no tool in its first turn'
  const last = before.length - 1
  if (!isOpened(results[last])) return `no: ${quoted(results[last])}`
  const missed = results.slice(act, last).find((text) => !isOpened(text))
  return missed === undefined ? 'works' : `works again; the model reads ${quoted(missed)}`
}

/** The requests after the end, and what the model reads of it. */
function endedCell(run: Run | undefined): string {
  if (run === undefined) return 'not run'
  const read = run.ended === 'never' ? 'it does not end' : `reads ${quoted(run.results[1])}`
  return `${requests(run)}; ${read}`
}

function startCell({ id }: Scenario, { file, client }: Driver, { runs }: Result): string {
  const run = runs[id]
  if (run === undefined) return 'not run'
  if (id === 'no-credential' && file === undefined && client !== 'claude-code') return 'it is in memory'
  return run.ended === 'never' ? `${requests(run)}; it does not end` : requests(run)
}

/** Subscriptions and streams that end are told late: they are no requests of the holder's. */
function requests({ after }: Run): string {
  const oauth = after.filter(isOAuth).length
  const mcp = after.filter((asked) => !isOAuth(asked) && asked.rpc !== 'subscriptions/listen').length
  return oauth === 0 ? `${mcp}` : `${mcp}, and ${oauth} for OAuth`
}

function quoted(text: string | undefined): string {
  if (text === undefined) return 'nothing'
  if (REASONS.some((reason) => text.includes(reason))) return 'the reason'
  if (text.includes('Wait and retry this call')) return '“wait and retry”'
  if (text.includes(GUARD)) return 'that there is no OAuth'
  const plain = text.replace(/\s+/g, ' ').replaceAll('|', '\\|').replaceAll('*', '\\*').replaceAll('<', '&lt;').trim()
  return `“${plain.length > 90 ? `${plain.slice(0, 90)}…` : plain}”`
}
