import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { root } from '../structure/workspace.js'
import { dashboardFiles, dashboardText, readDashboard } from './pages.js'

/** Compiles JSON as a value of Grafana's own type of a dashboard; returns the compiler's complaints. */
function checkAgainstSchema(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-grafana-'))
  try {
    symlinkSync(join(root, 'test/node_modules'), join(folder, 'node_modules'))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    const code = `import type { Dashboard } from '@grafana/schema'\nexport const dashboard: Dashboard = ${text}\n`
    writeFileSync(join(folder, 'dashboard.ts'), code)
    const options = ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', '--pretty', 'false', '--types', '']
    const compiler = join(root, 'node_modules/typescript/bin/tsc')
    const args = [compiler, ...options, '--module', 'esnext', '--moduleResolution', 'bundler', 'dashboard.ts']
    const done = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', timeout: 60_000 })
    return done.status === 0 ? '' : `${done.stdout}${done.stderr}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

test.each(dashboardFiles)('[operations-dashboards] %s is a dashboard of Grafana as its schema has it', (name) => {
  expect(checkAgainstSchema(dashboardText(name))).toBe('')
})

test.each([
  ['"schemaVersion": 39', '"schemaVersion": "39"'],
  ['"gridPos": {', '"gridPosition": {'],
  ['"collapsed": false', '"collapsed": "no"'],
])('the schema refuses a dashboard with another %s', (from, to) => {
  const text = dashboardText('grafana.json')
  expect(text).toContain(from)
  expect(checkAgainstSchema(text.replace(from, to))).toMatch(/^dashboard\.ts\(\d+,\d+\): error TS/)
})

test.each(dashboardFiles)(
  '[operations-dashboards] %s has panels that do not overlap, each with a query of the chosen data source',
  (name) => {
    const { panels, uid } = readDashboard(name)
    expect(uid).toMatch(/^countersign/)
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const taken = new Set<string>()
    for (const { title, type, gridPos, datasource, targets = [] } of panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect([title, taken.has(`${x},${y}`), x < 24]).toEqual([title, false, true])
          taken.add(`${x},${y}`)
        }
      }
      if (type === 'row') continue
      expect([title, targets.length > 0, datasource?.uid]).toEqual([
        title,
        true,
        expect.stringMatching(/^\$\{datasource\}$/),
      ])
    }
  },
)
