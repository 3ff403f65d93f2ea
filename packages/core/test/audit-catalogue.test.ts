import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { auditEventTypes } from '@countersign/core/gate-kit'
import { expect, test } from '@jest/globals'

const page = join(dirname(fileURLToPath(import.meta.url)), '../../../docs/operations/observability.md')

test('[audit-catalogue] the page on observability lists every type of event, with its outcome, severity and meaning', () => {
  const [, section = ''] = readFileSync(page, 'utf8').split('## The catalogue of events')
  const rows = Array.from(section.matchAll(/^\| `([a-z.]+)` \| (\w+) \| (\w+) \| (.+) \|$/gm), ([, ...cells]) => cells)
  expect(rows).toEqual(
    Object.entries(auditEventTypes).map(([type, { outcome, severity, meaning }]) => [type, outcome, severity, meaning]),
  )
})
