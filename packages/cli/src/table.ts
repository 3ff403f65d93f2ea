import { safeString } from '@countersign/core/gate-kit'

/** What stands in a table; undefined is shown as `-`. */
export type Cell = string | number | undefined

/** Columns as wide as they need to be. What comes from a store or a network cannot steer the terminal. */
export function formatTable(header: readonly string[], rows: readonly (readonly Cell[])[]): string[] {
  const lines = rows.map((row) => row.map((cell) => (cell === undefined ? '-' : safeString(String(cell)))))
  const widths = header.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => (line[column] ?? '').length)),
  )
  const format = (line: readonly string[]) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return [format(header), ...lines.map(format)]
}
