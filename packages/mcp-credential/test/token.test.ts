import { inspect } from 'node:util'
import { createMcpCredentials, memoryCredentials } from '@countersign/mcp-credential'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { mintToken, parseToken } from '../src/token.js'
import { agent, type Harness, mcpApp, send } from './harness.js'

let app: Harness
beforeAll(async () => {
  app = await mcpApp()
})
afterAll(() => app.close())

test('a token is mcps_<id>_<secret><crc> in base62, one word of fewer than 100 characters', async () => {
  const { token, credentialId, authorizationHeader } = await app.credentials.issue(agent)
  expect(token).toMatch(/^mcps_[0-9A-Za-z]{40}_[0-9A-Za-z]{49}$/)
  expect(token.split('_')[1]).toBe(credentialId)
  expect(token).toHaveLength(95)
  expect(/\b\w+\b/.exec(`Bearer: ${token}.`.slice(8))?.[0]).toBe(token)
  expect(authorizationHeader).toBe(`Bearer ${token}`)
  const longest = mintToken('prefix12', { threadId: 't', providerInstanceId: 'p', providerSessionId: 's' })
  expect(longest.token).toHaveLength(99)
})

test('the id begins with hashes of thread, provider and provider session, so keys follow from it', () => {
  const mint = (threadId: string, providerInstanceId: string, providerSessionId?: string) =>
    mintToken('mcps', { threadId, providerInstanceId, providerSessionId }).id
  const id = mint('t1', 'p1')
  expect(id.slice(0, 30)).toBe(mint('t1', 'p1').slice(0, 30))
  expect(id.slice(30)).not.toBe(mint('t1', 'p1').slice(30))
  expect(id.slice(20, 30)).toBe('0000000000')
  expect(mint('t2', 'p1').slice(0, 11)).not.toBe(id.slice(0, 11))
  expect(mint('t1', 'p2').slice(11, 20)).not.toBe(id.slice(11, 20))
  expect(mint('t1', 'p1', 's1').slice(20, 30)).not.toBe('0000000000')
})

test('the hashes and the checksum do not change: tokens outlive versions', () => {
  const subject = { threadId: 'thread-1', providerInstanceId: 'claude-1', providerSessionId: 'session-1' }
  expect(mintToken('mcps', subject).id.slice(0, 30)).toBe('lZrdWyiRQfvWI1wZrD8NcNW6VXGu8h')
  expect(parseToken('mcps', `mcps_${'A'.repeat(40)}_${'b'.repeat(43)}410mdr`)).toEqual({
    id: 'A'.repeat(40),
    secret: 'b'.repeat(43),
  })
})

test('[mcp-typos] every change of a single character is refused, and the store is not asked', async () => {
  const { token } = await app.credentials.issue(agent)
  const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-.~+/='
  app.calls.length = 0
  let tried = 0
  for (let index = 0; index < token.length; index += 1) {
    for (const letter of letters) {
      if (letter === token[index]) continue
      const changed = token.slice(0, index) + letter + token.slice(index + 1)
      const found = await app.credentials.resolve(changed)
      expect(found.standing).toBe('malformed')
      tried += 1
    }
  }
  expect(tried).toBe(95 * 68)
  expect(app.calls).toEqual([])
  const answer = await send(app.port, {
    authorization: `Bearer ${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`,
  })
  expect([answer.status, app.last(), app.calls]).toEqual([401, 'malformed', []])
})

test('a lost, doubled or swapped character is refused too', async () => {
  const { token } = await app.credentials.issue(agent)
  const changes = [...token].flatMap((letter, index) => [
    token.slice(0, index) + token.slice(index + 1),
    token.slice(0, index) + letter + token.slice(index),
    token.slice(0, index) + (token[index + 1] ?? '') + letter + token.slice(index + 2),
  ])
  for (const changed of changes.filter((one) => one !== token)) {
    expect((await app.credentials.resolve(changed)).standing).toBe('malformed')
  }
})

test('the parser never throws, and what it accepts is what was minted', () => {
  const text = fc.oneof(fc.string({ maxLength: 120 }), fc.stringMatching(/^mcps_[0-9A-Za-z]{40}_[0-9A-Za-z]{49}$/))
  fc.assert(
    fc.property(text, (token) => {
      const parts = parseToken('mcps', token)
      if (parts !== undefined) expect(token.startsWith(`mcps_${parts.id}_${parts.secret}`)).toBe(true)
    }),
    { numRuns: 5000 },
  )
  const subject = fc.record({
    threadId: fc.string({ minLength: 1 }),
    providerInstanceId: fc.string({ minLength: 1 }),
    providerSessionId: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
  })
  fc.assert(
    fc.property(subject, fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,7}$/), (of, prefix) => {
      const { id, secret, token } = mintToken(prefix, of)
      expect(parseToken(prefix, token)).toEqual({ id, secret })
    }),
    { numRuns: 500 },
  )
})

test('an app’s own prefix marks its tokens, and tokens with another one are malformed', async () => {
  const own = createMcpCredentials({ store: memoryCredentials(), prefix: 'acme', audit: recordedAudit().audit })
  const { token } = await own.issue(agent)
  expect(token.startsWith('acme_')).toBe(true)
  expect((await own.resolve(token)).standing).toBe('live')
  expect((await app.credentials.resolve(token)).standing).toBe('malformed')
  expect(() => createMcpCredentials({ prefix: 'a_b' })).toThrow(
    expect.objectContaining({ code: 'ERR_COUNTERSIGN_OPTION_INVALID', option: 'prefix' }),
  )
  await own.close()
})

test('[mcp-token-nowhere] an issued credential does not show its token when it is printed, spread or serialised', async () => {
  const issued = await app.credentials.issue(agent)
  const secret = issued.token.slice(issued.token.lastIndexOf('_') + 1)
  const shown = [
    JSON.stringify(issued),
    JSON.stringify({ issued }),
    inspect(issued),
    inspect(issued, { showHidden: true, depth: 9 }),
    String(issued),
    `${issued}`,
    JSON.stringify({ ...issued }),
    JSON.stringify(structuredClone({ ...issued })),
    JSON.stringify(Object.entries(issued)),
  ]
  for (const text of shown) expect(text).not.toContain(secret)
  expect(JSON.parse(shown[0] as string)).toMatchObject({ token: '[redacted]', credentialId: issued.credentialId })
})

test('[mcp-token-nowhere] no event of issuing, using, refusing and ending holds a token, a secret or a digest', async () => {
  const issued = await app.credentials.issue(agent)
  await send(app.port, { authorization: issued.authorizationHeader, 'user-agent': 'agent' })
  await send(app.port, { authorization: `${issued.authorizationHeader}x` })
  await app.credentials.issue(agent)
  await send(app.port, { authorization: issued.authorizationHeader })
  await issued.revoke()
  await app.credentials.revokeThread('t1')
  const listed = JSON.stringify([app.events, await app.credentials.list(), await app.credentials.stats()])
  const secret = issued.token.slice(issued.token.lastIndexOf('_') + 1, -6)
  const { createHash } = await import('node:crypto')
  expect(listed).toContain(issued.credentialId)
  expect(listed).not.toContain(secret)
  for (const encoding of ['hex', 'base64', 'base64url'] as const) {
    expect(listed).not.toContain(createHash('sha256').update(secret).digest(encoding))
  }
})
