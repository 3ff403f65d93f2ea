import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { auditEventTypes } from '@countersign/core/gate-kit'
import { expect, test } from '@jest/globals'

const page = join(dirname(fileURLToPath(import.meta.url)), '../../../docs/operations/observability.md')

test('the page on observability lists every attribute that diagnoses, with its type and meaning', () => {
  const source = readFileSync(join(dirname(fileURLToPath(import.meta.url)), '../src/audit/attributes.ts'), 'utf8')
  const declared = Array.from(
    source.matchAll(/^ {2}\/\*\* (.+) \*\/\n {2}readonly (\w+)\?: (\w+)$/gm),
    ([, meaning, name, type]) => [name, type === 'string' ? 'text' : type, meaning],
  )
  const [, section = ''] = readFileSync(page, 'utf8').split('## What diagnoses')
  const [table = ''] = section.split('## The catalogue of events')
  const rows = Array.from(table.matchAll(/^\| `(\w+)` \| (\w+) \| (.+) \|$/gm), ([, ...cells]) => cells)
  expect(declared.length).toBeGreaterThan(25)
  expect(rows).toEqual(declared)
})

test('[audit-catalogue] the page on observability lists every type of event, with its outcome, severity and meaning', () => {
  const [, section = ''] = readFileSync(page, 'utf8').split('## The catalogue of events')
  const rows = Array.from(section.matchAll(/^\| `([a-z.]+)` \| (\w+) \| (\w+) \| (.+) \|$/gm), ([, ...cells]) => cells)
  expect(rows).toEqual(
    Object.entries(auditEventTypes).map(([type, { outcome, severity, meaning }]) => [type, outcome, severity, meaning]),
  )
})
