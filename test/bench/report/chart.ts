import type { Row } from '../row.js'
import { ratiosTo } from './compare.js'
import { text } from './table.js'

const WIDTH = 960
const LINE = 17
const [LEFT, RIGHT] = [430, 890]
/** Powers of ten at the edges of the scale. */
const [LEAST, MOST] = [-2, 1]
const COLOURS = { cheaper: '#1a7f37', dearer: '#c9510c', axis: '#8c959f', grid: '#d8dee4' } as const

const escapeXml = (value: string) => value.replace(/&/g, '&amp;').replace(/</g, '&lt;')

function x(ratio: number): number {
  const power = Math.max(LEAST, Math.min(MOST, Math.log10(ratio)))
  return LEFT + ((power - LEAST) / (MOST - LEAST)) * (RIGHT - LEFT)
}

interface Line {
  readonly label: string
  /** Undefined for the name of a task. */
  readonly ratio: number | undefined
}

function linesOf(rows: readonly Row[]): Line[] {
  return [...new Set(rows.map(({ id }) => id))].flatMap((id) => {
    const own = rows.filter((row) => row.id === id)
    const ratios = own.flatMap((row) => ratiosTo(row, own, 'added').map((ratio) => ({ ...ratio, peer: row.name })))
    const bars = ratios
      .sort((one, other) => one.own.localeCompare(other.own))
      .map(({ own: name, peer, value }) => ({ label: `${name} : ${peer}`, ratio: value }))
    return [{ label: own[0]?.task ?? id, ratio: undefined }, ...bars]
  })
}

function draw({ label, ratio }: Line, y: number): string {
  if (ratio === undefined) return `<text x="12" y="${y + 13}" font-weight="600">${escapeXml(label)}</text>`
  const [from, to] = [Math.min(x(1), x(ratio)), Math.max(x(1), x(ratio))]
  const colour = ratio <= 1 ? COLOURS.cheaper : COLOURS.dearer
  const width = Math.max(1, to - from).toFixed(1)
  return `<text x="${LEFT - 12}" y="${y + 13}" text-anchor="end">${escapeXml(label)}</text>
<rect x="${from.toFixed(1)}" y="${y + 3}" width="${width}" height="${LINE - 5}" rx="2" fill="${colour}"/>
<text x="${WIDTH - 12}" y="${y + 13}" text-anchor="end">${text(ratio)}</text>`
}

/** A bar for each ratio of ours to a peer, on a logarithmic scale, task by task. */
export function chart(rows: readonly Row[]): string {
  const top = 64
  let y = top
  const drawn = linesOf(rows).map((line) => {
    if (line.ratio === undefined) y += 8
    const at = y
    y += LINE
    return draw(line, at)
  })
  const height = y + 12
  const ticks = [0.01, 0.03, 0.1, 0.3, 1, 3, 10].map(
    (ratio) => `<line x1="${x(ratio)}" x2="${x(ratio)}" y1="${top - 8}" y2="${height - 8}" stroke="${
      ratio === 1 ? COLOURS.axis : COLOURS.grid
    }"/>
<text x="${x(ratio)}" y="${top - 14}" text-anchor="middle" fill="#57606a">${ratio}</text>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#1f2328">
<title>CPU that ours adds to a request, divided by what the peer adds</title>
<rect width="${WIDTH}" height="${height}" fill="white"/>
<text x="12" y="22" font-size="15" font-weight="600">CPU that ours adds to a request, divided by what the peer adds</text>
<text x="12" y="${top - 14}" fill="#57606a">Left of 1, ours is cheaper. Logarithmic.</text>
${ticks.join('\n')}
${drawn.join('\n')}
</svg>
`
}
