import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { type CaughtWarning, catchWarnings } from '../../../test/support/warnings.js'
import { type Harness, oauthApp } from './harness.js'
import type { TokenParts } from './test-issuer.js'

const PAGES = 'https://countersign.example/errors'

let app: Harness
let warnings: CaughtWarning[]
let stop: () => void
beforeEach(async () => {
  ;({ warnings, stop } = catchWarnings())
  // Each has an issuer of its own, so its causes are new.
  app = await oauthApp()
})
afterEach(async () => {
  stop()
  await app.stop()
})

const nowSeconds = () => Math.floor(app.clock.now() / 1000)

/** The token with this algorithm in its header, as a forger would write it. */
function withAlgorithm(token: string, alg: string): string {
  const [header = '', ...rest] = token.split('.')
  const forged = { ...JSON.parse(Buffer.from(header, 'base64url').toString()), alg }
  return [Buffer.from(JSON.stringify(forged)).toString('base64url'), ...rest].join('.')
}

test.each<[string, string, () => TokenParts, RegExp, RegExp]>([
  [
    'wrong_audience',
    'WRONG_AUDIENCE',
    () => ({ claims: { aud: ['https://other.example.com', 'api'] } }),
    /audiences="https:\/\/other\.example\.com api" expected_audiences="https:\/\/mcp\.example\.com\/mcp"/,
    /RFC 8707/,
  ],
  [
    'wrong_algorithm',
    'WRONG_ALGORITHM',
    () => ({}),
    /algorithm="HS256" expected_algorithms=".*RS256/,
    /issuer\.algorithms/,
  ],
  [
    'expired',
    'CLOCK',
    () => ({ claims: { exp: nowSeconds() - 3600 } }),
    /late_by_seconds=360\d(\.\d+)? tolerance_seconds=5/,
    /synchronise/,
  ],
  [
    'not_yet_valid',
    'CLOCK',
    () => ({ claims: { nbf: nowSeconds() + 600 } }),
    /early_by_seconds=(599|600)(\.\d+)? tolerance_seconds=5/,
    /synchronise/,
  ],
])('a token that is refused as %s is told of once for its issuer, seen against expected', async (...row) => {
  const [reason, code, parts, seen, remedy] = row
  for (let round = 0; round < 5; round += 1) {
    const token = await app.token(parts())
    const presented = reason === 'wrong_algorithm' ? withAlgorithm(token, 'HS256') : token
    expect((await app.get(presented)).status).toBe(401)
    expect(app.last()).toBe(reason)
  }
  expect(warnings).toHaveLength(1)
  const [warning] = warnings
  expect(warning?.code).toBe(`COUNTERSIGN_OAUTH_${code}`)
  expect(warning?.message).toMatch(seen)
  expect(warning?.message).toContain(`oauth-bearer: a request was refused as ${reason}:`)
  expect(warning?.message).toContain(`issuer="${app.issuer.url}". See ${PAGES}/COUNTERSIGN_OAUTH_${code}`)
  expect(warning?.detail).toMatch(remedy)
})

test('strangers who name a hundred issuers cause one warning, which is short and of one line', async () => {
  for (let stranger = 0; stranger < 100; stranger += 1) {
    const iss = `https://${stranger}.example.com/${'x'.repeat(1500)}\nforged line\u001b[31m`
    expect((await app.get(await app.token({ claims: { iss } }))).status).toBe(401)
  }
  expect(app.last()).toBe('wrong_issuer')
  expect(warnings.map(({ code }) => code)).toEqual(['COUNTERSIGN_OAUTH_WRONG_ISSUER'])
  const [{ message, detail } = { message: '', detail: '' }] = warnings
  expect(message).toContain('token_issuer="https://0.example.com/xxx')
  expect(message).toContain(`expected_issuers="${app.issuer.url}"`)
  expect(message.length).toBeLessThan(700)
  expect(message).toMatch(/^[\x20-\x7e…]*$/)
  expect(detail).toContain('a slash at its end')
})

test('a token that expires while it is used is no news', async () => {
  const token = await app.token({ claims: { exp: nowSeconds() + 60 } })
  expect((await app.get(token)).status).toBe(200)
  app.clock.advance(120_000)
  expect((await app.get(token)).status).toBe(401)
  expect(app.last()).toBe('expired')
  expect(warnings).toEqual([])
})
