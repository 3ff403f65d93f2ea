import { text } from './table.js'
import type { AllRows } from './targets.js'
import { barsOf } from './tasks.js'

const WIDTH = 900
const LINE = 18
const [LEFT, RIGHT] = [300, 820]
const COLOURS = { ours: '#1a7f37', peer: '#8c959f' } as const

const escapeXml = (value: string) => value.replace(/&/g, '&amp;').replace(/</g, '&lt;')

/** A bar for each middleware, task by task, as long as what it adds to a request. */
export function chart(rows: AllRows): string {
  const tasks = barsOf(rows)
  const most = Math.max(1, ...tasks.flatMap(({ bars }) => bars.map(({ micros }) => micros)))
  let y = 44
  const drawn = tasks.map(({ title, bars }) => {
    y += 10
    const heading = `<text x="12" y="${y + 13}" font-weight="600">${escapeXml(title)}</text>`
    y += LINE
    const lines = bars.map(({ name, isOurs, micros }) => {
      const at = y
      y += LINE
      const width = Math.max(1, (Math.max(0, micros) / most) * (RIGHT - LEFT))
      return `<text x="${LEFT - 10}" y="${at + 13}" text-anchor="end"${isOurs ? ' font-weight="600"' : ''}>${escapeXml(name)}</text>
<rect x="${LEFT}" y="${at + 3}" width="${width.toFixed(1)}" height="${LINE - 6}" rx="2" fill="${isOurs ? COLOURS.ours : COLOURS.peer}"/>
<text x="${(LEFT + width + 6).toFixed(1)}" y="${at + 13}" fill="#57606a">${text(micros)}</text>`
    })
    return [heading, ...lines].join('\n')
  })
  const title = 'µs of CPU that a middleware adds to a request'
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 12}" font-family="system-ui, sans-serif" font-size="12" fill="#1f2328">
<title>${title}</title>
<rect width="${WIDTH}" height="${y + 12}" fill="white"/>
<text x="12" y="22" font-size="15" font-weight="600">${title}</text>
<text x="12" y="40" fill="#57606a">Shorter is cheaper. Green: this suite. Grey: what people use today.</text>
${drawn.join('\n')}
</svg>
`
}
