import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HOMEPAGE } from '@countersign/core/gate-kit'
import { expect, test } from '@jest/globals'
import { anchorsOf } from '../docs/markdown.js'
import { root } from '../structure/workspace.js'
import { promtool } from '../support/prometheus-server.js'
import { alertNames, alertsFile, alertsText } from './pages.js'

const testsFile = join(root, 'test/prometheus/alerts.yml')
const tests = readFileSync(testsFile, 'utf8')

test('[operations-alerts] promtool accepts the rules, and each alert fires when it must and not before', () => {
  expect(promtool('check', 'rules', alertsFile)).toMatchObject({
    isContent: true,
    output: expect.stringContaining(`${alertNames.length} rules found`),
  })
  expect(promtool('test', 'rules', testsFile)).toMatchObject({ isContent: true })
})

test('[operations-alerts] no alert is without a case in which it fires and one in which it does not', () => {
  const cases = tests.split(/eval_time: /).slice(1)
  const named = (isFiring: boolean) =>
    cases
      .filter((text) => text.includes('exp_alerts') === isFiring)
      .map((text) => /alertname: (\w+)/.exec(text)?.[1])
      .sort()
  expect([...new Set(named(true))]).toEqual([...alertNames].sort())
  expect([...new Set(named(false))]).toEqual([...alertNames].sort())
})

test.each([
  ['a threshold', '> 5\n', '> 500\n'],
  ['a wait', 'for: 1m', 'for: 30m'],
  ['a reason', 'reason="internal_error"', 'reason="internal"'],
  ['a comparison', '<= 5 * sum', '<= 50 * sum'],
])('the tests of the rules notice another value of %s', (_what, from, to) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-alerts-'))
  try {
    expect(alertsText).toContain(from)
    writeFileSync(join(folder, 'rules.yml'), alertsText.replace(from, to))
    const file = join(folder, 'tests.yml')
    writeFileSync(file, tests.replace(/- \S*prometheus-alerts\.yml/, '- rules.yml'))
    expect(promtool('test', 'rules', file)).toMatchObject({ isContent: false, output: expect.stringContaining('exp:') })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('[operations-alerts] each alert leads to its section of the incident playbook', () => {
  const path = 'docs/operations/incident-playbook.md'
  const anchors = anchorsOf({ path, text: readFileSync(join(root, path), 'utf8') })
  const links = Array.from(alertsText.matchAll(/runbook_url: (\S+)/g), ([, url = '']) => url)
  const expected = alertNames.map((name) => `${HOMEPAGE}/operations/incident-playbook#${name.toLowerCase()}`)
  expect(links).toEqual(expected)
  expect(alertNames.filter((name) => !anchors.has(name.toLowerCase()))).toEqual([])
  expect(alertNames.length).toBeGreaterThan(10)
})
