/** One request of the scripted run. */
export interface Row {
  readonly request: string
  readonly expected: string
  readonly got: string
  /** The audit reason, or `granted`. */
  readonly reason: string
  readonly isAsExpected: boolean
}

/** The rows as a table in plain text, columns as wide as they need to be. */
export function formatTable(rows: readonly Row[]): string {
  const header = ['', 'request', 'expected', 'got', 'audit reason']
  const lines = rows.map((row) => [row.isAsExpected ? '✓' : '✗', row.request, row.expected, row.got, row.reason])
  const widths = header.map((title, column) =>
    Math.max(...[header, ...lines].map((line) => (line[column] ?? title).length)),
  )
  const format = (line: readonly string[]) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  const rule = widths.map((width) => '─'.repeat(width)).join('  ')
  return [format(header), rule, ...lines.map(format)].join('\n')
}
