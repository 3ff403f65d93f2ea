import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { auditEventTypes } from '../../packages/core/src/audit/event-types.js'
import { compareStateChanges, operationsIn, reportedIn } from './state-changes.js'
import { root, sourcesBelow } from './workspace.js'

const GATES = ['hmac', 'oauth-bearer', 'mcp-credential', 'settings-session']

/** Decisions, and what becomes of the events themselves, are no change of state. */
const types = Object.keys(auditEventTypes).filter((type) => !/^(?:access|audit)\./.test(type))
const page = readFileSync(join(root, 'docs/operations/state-changes.md'), 'utf8')
const files = ['core/src/stores', ...GATES.map((gate) => `${gate}/src`)].flatMap((below) =>
  sourcesBelow(`packages/${below}`),
)

test('every operation of a store and every place that reports a change of state has its row, and no row lacks code', () => {
  expect(operationsIn(files).length).toBeGreaterThan(35)
  expect(compareStateChanges(page, files, types)).toEqual([])
})

test('every event of a change of state is expected by a test of its package', () => {
  const texts = [...GATES, 'testing'].flatMap((name) =>
    ['test', 'src/contracts'].flatMap((below) => sourcesBelow(`packages/${name}/${below}`)),
  )
  const unexpected = types.filter((type) => !texts.some(({ text }) => text.includes(`'${type}'`)))
  expect(unexpected).toEqual([])
})

describe('the comparison finds', () => {
  const declaring = {
    path: 'packages/a/src/store/port.ts',
    text: 'export interface AStore {\n  end(id: string): void\n}\n',
  }
  const reporting = { path: 'packages/a/src/a.ts', text: "  reportChange(audit, 'a.ended', {})\n" }
  const row = '| `a.ended` | it ended | `AStore.end` | `a/src/a.ts` |\n'

  test('nothing where page and code agree', () => {
    expect(compareStateChanges(row, [declaring, { ...reporting, text: "emit('a.ended')" }], ['a.ended'])).toEqual([])
  })

  test('an operation and a report without a row, and rows without code', () => {
    const quiet = { ...reporting, text: "emit('a.ended')" }
    expect(compareStateChanges('', [declaring, quiet], ['a.ended'])).toEqual([
      'AStore.end has no row',
      'a.ended in packages/a/src/a.ts has no row',
      'a.ended has no row',
    ])
    expect(compareStateChanges(row, [], ['a.ended'])).toEqual([
      'AStore.end is no operation',
      'a.ended in packages/a/src/a.ts is not reported',
    ])
  })

  test('reports, and no mention in a type, a table or a comparison', () => {
    const text = [
      "  | 'a.typed'",
      "  'a.keyed': 'x',",
      "if (type === 'a.compared') return",
      "const type = isOpen ? 'a.opened' : 'a.closed'",
      "if (isKnown) reportChange(audit, 'revoked', caller)",
    ].join('\n')
    const known = ['a.typed', 'a.keyed', 'a.compared', 'a.opened', 'a.closed']
    expect(reportedIn({ path: 'a.ts', text }, known)).toEqual(['a.opened', 'a.closed', 'hmac.secret.revoked'])
  })
})
