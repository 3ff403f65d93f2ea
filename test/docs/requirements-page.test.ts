import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { root } from '../structure/workspace.js'
import { linkSources } from './requirement-sources.js'
import { pageOf, requirementsPage } from './requirements-page.js'

test('the page of requirements says what the lists and the tests say: npm run docs:requirements', async () => {
  const page = readFileSync(join(root, 'docs/security/requirements.md'), 'utf8')
  expect(page).toBe(await requirementsPage())
  expect(page).toMatch(
    /^\| `dpop-htm` \| .+\(https:\/\/www\.rfc-editor\.org\/rfc\/rfc9449#section-4\.3\) \| \[dpop-proof\]/m,
  )
})

test('a row has the requirement, where it is from, and each file that cites it once', () => {
  const text = "test('[a-b] one', () => {})\ntest('[a-b] another', () => {})"
  const files = ['packages/hmac/test/one.test.ts', 'test/integration/two.test.ts'].map((path) => ({ path, text }))
  const page = pageOf({ hmac: { 'a-b': ['__x__ is | no <tag>', 'RFC 9421 §B.2.5; design'] }, demo: {} }, files)
  expect(page.split('\n').at(-2)).toBe(
    '| `a-b` | \\_\\_x\\_\\_ is \\| no \\<tag\\> | [RFC 9421 §B.2.5](https://www.rfc-editor.org/rfc/rfc9421#appendix-B.2.5), design | [one](../../packages/hmac/test/one.test.ts), [two](../../test/integration/two.test.ts) |',
  )
  expect(page).not.toContain('## demo')
})

test.each([
  '',
  'RFC',
  'RFC 9421 3.2',
  'ASVS 5.1.1',
  'ASVS 9.1',
  'MCP 2025-11-25',
  'MCP 2025-11-25, tools',
  'decision 9999',
])('a source that cannot be looked up is found: "%s"', (source) => {
  expect(() => linkSources(`design; ${source}`)).toThrow(`"${source}" is no source that can be looked up`)
})

test('a source of each kind leads to it', () => {
  expect(linkSources('ASVS 10.3.5; MCP 2025-03-26, transports; decision 0001; SEP-1932')).toBe(
    [
      '[ASVS 10.3.5](https://github.com/OWASP/ASVS/blob/v5.0.0/5.0/en/0x19-V10-OAuth-and-OIDC.md)',
      '[MCP 2025-03-26, transports](https://modelcontextprotocol.io/specification/2025-03-26/basic/transports)',
      '[decision 0001](../decisions/0001-late-redis-commands-do-nothing.md)',
      '[SEP-1932](https://github.com/modelcontextprotocol/modelcontextprotocol/pull/1932)',
    ].join(', '),
  )
})
