import { cpus } from 'node:os'
import type { Case } from './case.js'
import type { ProcessResult } from './measure.js'
import { median } from './statistics.js'

/** One variant of one case. */
export interface Row {
  readonly task: string
  readonly name: string
  /** µs of CPU that it adds to a request. */
  readonly added: number
  /** The same when it decides in one tick, where it can. */
  readonly addedInOneTick: number | undefined
  /** Ours divided by this one: below 1, ours is cheaper. One for each of ours, by name. */
  readonly ratios: Readonly<Record<string, number>>
  readonly isOurs: boolean
  /** How far the two empty ones differ: below it nothing is claimed. */
  readonly noise: number
}

export function rowsOf(
  one: Case,
  results: readonly ProcessResult[],
  inOneTick: readonly ProcessResult[],
  [first, second]: readonly [string, string],
): Row[] {
  const added = (result: ProcessResult, name: string) => {
    const value = result[name]
    return value === undefined ? undefined : value - ((result[first] ?? 0) + (result[second] ?? 0)) / 2
  }
  const figure = (from: readonly ProcessResult[], name: string) => {
    const all = from.flatMap((result) => added(result, name) ?? [])
    return all.length === from.length && all.length > 0 ? median(all) : undefined
  }
  const names = Object.keys(results[0] ?? {}).filter((name) => name !== first && name !== second)
  const noise = median(results.map((result) => Math.abs((result[first] ?? 0) - (result[second] ?? 0))))
  const ours = names.filter((name) => OURS.has(name))
  return names.map((name) => ({
    task: one.title,
    name,
    added: figure(results, name) ?? Number.NaN,
    addedInOneTick: figure(inOneTick, name),
    ratios: Object.fromEntries(
      ours.map((own) => [own, (figure(results, own) ?? Number.NaN) / (figure(results, name) ?? Number.NaN)]),
    ),
    isOurs: OURS.has(name),
    noise,
  }))
}

/** The names that our own variants have in the table. */
const OURS = new Set(['requireOAuthBearer', 'xHeaders', 'rfc9421', 'requireMcpCredential', 'requireSettingsSession'])

const number = (value: number | undefined) => (value === undefined ? '–' : value.toFixed(value < 10 ? 2 : 1))
const ratiosOf = ({ ratios, name }: Row) =>
  Object.entries(ratios)
    .filter(([own]) => own !== name)
    .map(([own, ratio]) => `${own} ${number(ratio)}`)
    .join(', ')

export function table(rows: readonly Row[]): string {
  const lines = [
    ['middleware', 'µs added', 'in one tick', 'ours to it'],
    ...rows.map((row) => [row.name, number(row.added), number(row.addedInOneTick), ratiosOf(row)]),
  ]
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  const text = lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return `${text.join('\n')}\nnoise: ${number(rows[0]?.noise)} µs`
}

export function markdown(rows: readonly Row[], processes: number): string {
  const tasks = [...new Set(rows.map(({ task }) => task))]
  const model = cpus()[0]?.model ?? 'unknown'
  return `# Performance

What each middleware adds to a request, in µs of CPU, all threads counted: the median over ${processes} fresh processes of the
difference from an empty middleware, 16 requests in flight, variants interleaved in random order. Ours runs with replay
protection and one audit sink on. Absolute figures depend on the machine; the ratios are from one run. *Noise* is how far two
empty middlewares differ: nothing below it is claimed. *In one tick* is the figure of those that decide without a promise.

Node.js ${process.version}, ${model}. \`npm run bench -- --write\` makes this page anew.

![Ratios to the peers](performance.svg)
${tasks
  .map((task) =>
    section(
      task,
      rows.filter((row) => row.task === task),
    ),
  )
  .join('')}`
}

function section(task: string, rows: readonly Row[]): string {
  const lines = rows.map(
    (row) =>
      `| ${row.isOurs ? `**${row.name}**` : row.name} | ${number(row.added)} | ${number(row.addedInOneTick)} | ${ratiosOf(row)} |`,
  )
  return `
## ${task}

| middleware | µs added | in one tick | ours to it |
|---|---|---|---|
${lines.join('\n')}

Noise: ${number(rows[0]?.noise)} µs.
`
}

const escapeXml = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;')

/** A bar for each ratio of ours to a peer, on a logarithmic scale; left of the line, ours is cheaper. */
export function chart(rows: readonly Row[]): string {
  const bars = rows
    .filter(({ isOurs }) => !isOurs)
    .flatMap(({ task, name, ratios }) => Object.entries(ratios).map(([own, ratio]) => ({ task, name, own, ratio })))
    .filter(({ ratio }) => Number.isFinite(ratio) && ratio > 0)
  const height = 22
  const x = (ratio: number) => 640 + Math.max(-2, Math.min(2, Math.log10(ratio))) * 140
  const drawn = bars.map(({ task, name, own, ratio }, index) => {
    const y = 40 + index * height
    const [left, right] = [Math.min(x(1), x(ratio)), Math.max(x(1), x(ratio))]
    return `<text x="8" y="${y + 12}">${escapeXml(`${task}: ${own} to ${name}`)}</text>
<rect x="${left.toFixed(1)}" y="${y}" width="${(right - left).toFixed(1)}" height="14" fill="${ratio <= 1 ? '#1a7f37' : '#c9510c'}"/>
<text x="930" y="${y + 12}" text-anchor="end">${number(ratio)}</text>`
  })
  const bottom = 50 + bars.length * height
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 940 ${bottom}" font-family="system-ui, sans-serif" font-size="12">
<rect width="940" height="${bottom}" fill="white"/>
<text x="8" y="20" font-weight="bold">CPU that ours adds, divided by what the peer adds (logarithmic; left of the line ours is cheaper)</text>
<line x1="640" x2="640" y1="30" y2="${bottom - 8}" stroke="#888"/>
${drawn.join('\n')}
</svg>
`
}
