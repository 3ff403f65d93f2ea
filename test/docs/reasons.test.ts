import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createAudit } from '@countersign/core'
import { eventLine, HOMEPAGE } from '@countersign/core/gate-kit'
import { expect, test } from '@jest/globals'
import { root } from '../structure/workspace.js'
import { anchorsOf } from './markdown.js'
import * as texts from './reason-texts.js'
import { reasonsPage } from './reasons-page.js'

test('the page of reasons says what the tables of the gates say: npm run docs:reasons', () => {
  const page = readFileSync(join(root, 'docs/errors/reasons.md'), 'utf8')
  expect(page).toBe(reasonsPage())
  expect(page).toContain('### hmac: `replayed`\n')
  expect(page).toContain('### settings-session: `oauth_provider`\n')
})

test('the line of every refusal of a gate leads to a heading of the page', () => {
  const kinds = {
    hmac: texts.hmac,
    'oauth-bearer': texts.oauthBearer,
    'mcp-credential': texts.mcpCredential,
    'settings-session': texts.settingsSession,
  }
  const lines: string[] = []
  const audit = createAudit({ sinks: [(event) => void lines.push(eventLine(event))] })
  for (const [gate, reasons] of Object.entries(kinds)) {
    for (const reason of Object.keys(reasons)) audit.emit({ type: 'access.denied', gate, reason })
  }
  const anchors = anchorsOf({ path: 'reasons.md', text: reasonsPage() })
  expect(lines.length).toBeGreaterThan(60)
  const lost = lines.filter((line) => !anchors.has(line.split(` see=${HOMEPAGE}/errors/reasons#`)[1] ?? ''))
  expect(lost).toEqual([])
})
