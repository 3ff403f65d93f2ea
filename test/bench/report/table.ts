import type { Row, Section } from '../row.js'
import { ratiosTo, toSmallest } from './compare.js'

export interface Grid {
  readonly task: string
  readonly head: readonly string[]
  readonly lines: readonly (readonly string[])[]
  readonly note: string | undefined
}

export function text(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–'
  if (!Number.isFinite(value)) return '∞'
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en')
  if (Number.isInteger(value)) return String(value)
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1)
}

/** The rows of one task as cells: what it is, its figures, and what ours is of it. */
export function gridOf(section: Section, rows: readonly Row[]): Grid {
  const { compared } = section
  const columns = section.columns.filter(({ key }) => rows.some(({ figures }) => figures[key] !== undefined))
  const isSized = rows.some(({ size }) => size !== undefined)
  const hasPeers = compared !== undefined && rows.some((row) => ratiosTo(row, rows, compared).length > 0)
  const isAlone = new Set(rows.filter(({ isOurs }) => isOurs).map(({ name }) => name)).size === 1
  const lines = rows.map((row) => [
    row.isOurs ? `**${row.name}**` : row.name,
    ...(isSized ? [row.size ?? ''] : []),
    ...columns.map(({ key }) => text(row.figures[key])),
    ...(isSized && compared !== undefined ? [text(toSmallest(row, rows, compared))] : []),
    ...(hasPeers
      ? [
          ratiosTo(row, rows, compared)
            .map(({ own, value }) => (isAlone ? text(value) : `${own} ${text(value)}`))
            .join(', '),
        ]
      : []),
  ])
  const head = [
    'middleware',
    ...(isSized ? ['size'] : []),
    ...columns.map(({ title }) => title),
    ...(isSized && compared !== undefined ? ['to the smallest'] : []),
    ...(hasPeers ? ['ours divided by it'] : []),
  ]
  return { task: rows[0]?.task ?? '', head, lines, note: section.note?.(rows) }
}

export function forTerminal({ task, head, lines, note }: Grid): string {
  const all = [head, ...lines].map((line) => line.map((cell) => cell.replaceAll('**', '')))
  const widths = head.map((_, column) => Math.max(...all.map((line) => (line[column] ?? '').length)))
  const printed = all.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
  return [`\n${task}`, ...printed.map((line) => line.trimEnd()), ...(note === undefined ? [] : [note])].join('\n')
}

export function forPage({ task, head, lines, note }: Grid): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const table = [line(head), line(head.map(() => '---')), ...lines.map(line)]
  return [...(task === '' ? [] : [`### ${task}`, '']), ...table, ...(note === undefined ? [] : ['', note]), ''].join(
    '\n',
  )
}

/** One grid a task, in the order of the rows. */
export function gridsOf(section: Section, rows: readonly Row[]): Grid[] {
  return [...new Set(rows.map(({ id }) => id))].map((id) =>
    gridOf(
      section,
      rows.filter((row) => row.id === id),
    ),
  )
}
