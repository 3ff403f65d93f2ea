import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { root } from '../structure/workspace.js'
import { reasonsPage } from './reasons-page.js'

test('the page of reasons says what the tables of the gates say: npm run docs:reasons', () => {
  const page = readFileSync(join(root, 'docs/errors/reasons.md'), 'utf8')
  expect(page).toBe(reasonsPage())
  expect(page).toContain('### hmac: `replayed`\n')
  expect(page).toContain('### settings-session: `oauth_provider`\n')
})
