import { UnavailableError } from '@countersign/core'
import { requireMcpCredential } from '@countersign/mcp-credential'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { leastCpuMs } from '../../../test/support/cpu-time.js'
import { agent, type Harness, mcpApp, send, withOtherSecret } from './harness.js'

let app: Harness
beforeAll(async () => {
  app = await mcpApp()
})
afterAll(() => app.close())

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const INVALID =
  '{"type":"about:blank","title":"Unauthorized","status":401,"error":"invalid_token","error_description":"The credential is not valid"}'

test('a valid credential gives its principal and req.auth in the SDK’s shape, and is removed from the request', async () => {
  const issued = await app.credentials.issue({ ...agent, providerSessionId: 's1' })
  const answer = await send(app.port, { authorization: `bEaReR ${issued.token}` })
  const { principal, auth, authorization } = JSON.parse(answer.text)
  expect(principal).toEqual({
    kind: 'mcp-credential',
    id: issued.credentialId,
    threadId: 't1',
    providerInstanceId: 'p1',
    providerSessionId: 's1',
    capabilities: ['preview'],
    expiresAt: issued.expiresAt,
  })
  expect(auth).toEqual({
    token: issued.credentialId,
    clientId: 'p1',
    scopes: ['preview'],
    expiresAt: Math.floor(issued.expiresAt / 1000),
    extra: {
      kind: 'mcp-credential',
      capabilities: ['preview'],
      expiresAt: issued.expiresAt,
      id: issued.credentialId,
      threadId: 't1',
      providerInstanceId: 'p1',
      providerSessionId: 's1',
    },
  })
  expect(authorization).toEqual([null, null, []])
  expect(answer.text).not.toContain(issued.token.slice(-49))
  expect(app.events.at(-1)).toMatchObject({ type: 'access.granted', principal: { id: issued.credentialId } })
})

test('stripHeader and attachAuthInfo can be turned off', async () => {
  const plain = await mcpApp({ stripHeader: false, attachAuthInfo: false })
  const { authorizationHeader } = await plain.credentials.issue(agent)
  const { auth, authorization } = JSON.parse((await send(plain.port, { authorization: authorizationHeader })).text)
  expect(auth).toBeUndefined()
  expect(authorization).toEqual([authorizationHeader, [authorizationHeader], ['authorization']])
  await plain.close()
})

test('[mcp-identical-401s] malformed, unknown and wrong secret get one answer, byte for byte', async () => {
  const issued = await app.credentials.issue({ ...agent, threadId: 'identical' })
  const unknown = await (async () => {
    const other = await mcpApp()
    const { token } = await other.credentials.issue(agent)
    await other.close()
    return token
  })()
  const tokens = {
    malformed: 'mcps_junk',
    unknown,
    wrong_secret: withOtherSecret(issued.token),
  }
  const answers: unknown[] = []
  for (const [reason, token] of Object.entries(tokens)) {
    const { status, headers, text } = await send(app.port, bearer(token))
    expect(app.last()).toBe(reason)
    answers.push({ status, text, headers: { ...headers, date: '' } })
  }
  expect(answers[1]).toEqual(answers[0])
  expect(answers[2]).toEqual(answers[0])
  expect(answers[0]).toMatchObject({
    status: 401,
    text: INVALID,
    headers: {
      'www-authenticate': 'Bearer error="invalid_token", error_description="The credential is not valid"',
    },
  })
  expect(JSON.stringify(answers)).not.toContain('resource_metadata')
})

test('[mcp-identical-401s] an unknown id takes as long as a wrong secret', async () => {
  const issued = await app.credentials.issue({ ...agent, threadId: 'timing' })
  const other = await mcpApp()
  const unknown = (await other.credentials.issue(agent)).token
  await other.close()
  const wrong = withOtherSecret(issued.token)
  const resolving = (token: string) => () => {
    for (let call = 0; call < 400; call += 1) void app.credentials.resolve(token)
  }
  const took = await leastCpuMs({ unknown: resolving(unknown), wrong: resolving(wrong) }, 41)
  const ratio = took.wrong / took.unknown
  expect(ratio).toBeGreaterThan(0.4)
  expect(ratio).toBeLessThan(2.5)
})

test('a proven secret is told why it is refused, in words to act on', async () => {
  const told: string[] = []
  const ask = async (header: string) => {
    const answer = await send(app.port, { authorization: header })
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer error="invalid_token", error_description="/)
    told.push(`${app.last()}: ${JSON.parse(answer.text).detail}`)
  }
  const idle = await app.credentials.issue({ ...agent, threadId: 'a' })
  app.pass(32 * 60_000)
  await ask(idle.authorizationHeader)
  const revoked = await app.credentials.issue({ ...agent, threadId: 'b' })
  await app.credentials.revokeThread('b')
  await ask(revoked.authorizationHeader)
  const superseded = await app.credentials.issue({ ...agent, threadId: 'c' })
  await app.credentials.issue({ ...agent, threadId: 'c' })
  await ask(superseded.authorizationHeader)
  const short = await mcpApp({ registry: { absoluteLifetimeSeconds: 60 } })
  const expired = await short.credentials.issue(agent)
  short.pass(61_000)
  expect((await send(short.port, { authorization: expired.authorizationHeader })).status).toBe(401)
  expect(short.last()).toBe('expired')
  await short.close()
  const ASK = 'Stop calling this server and tell the user. The app must start a new session.'
  expect(told).toEqual([
    `idle: This session was idle for too long and has ended. ${ASK}`,
    `revoked: The app has ended this session. ${ASK}`,
    'superseded: A newer credential has replaced this one. Use the newer one, or start a new session.',
  ])
})

test('a store that is down is 503 without a challenge, and tells the agent to wait', async () => {
  const down = (store: McpCredentialStore): McpCredentialStore => ({
    ...store,
    issue: (credential, life) => store.issue(credential, life),
    resolve: () => Promise.reject(new UnavailableError('test', 'down')),
  })
  const broken = await mcpApp({ wrapStore: down })
  const { authorizationHeader } = await broken.credentials.issue(agent)
  const answer = await send(broken.port, { authorization: authorizationHeader })
  expect([answer.status, answer.headers['retry-after'], answer.headers['www-authenticate']]).toEqual([
    503,
    '1',
    undefined,
  ])
  expect(JSON.parse(answer.text).detail).toContain('Wait and retry this call')
  expect(broken.last()).toBe('credential_store')
  await broken.close()
})

test('what a store throws is a bug or an outage by one rule, and the event names it', async () => {
  let thrown: unknown
  const failing = (store: McpCredentialStore): McpCredentialStore => ({
    ...store,
    issue: (credential, life) => store.issue(credential, life),
    resolve: () => {
      throw thrown
    },
  })
  const broken = await mcpApp({ wrapStore: failing })
  const { authorizationHeader } = await broken.credentials.issue(agent)
  const cases: readonly [unknown, number, string, string][] = [
    [new SyntaxError('a garbled answer'), 503, 'credential_store', 'SyntaxError'],
    [new Error('no connection'), 503, 'credential_store', 'Error'],
    [new TypeError('fetch failed'), 503, 'credential_store', 'TypeError'],
    [new TypeError('x is not a function'), 500, 'internal_error', 'TypeError'],
    [new ReferenceError('x is not defined'), 500, 'internal_error', 'ReferenceError'],
  ]
  for (const [error, status, reason, name] of cases) {
    thrown = error
    const answer = await send(broken.port, { authorization: authorizationHeader })
    expect([answer.status, broken.last()]).toEqual([status, reason])
    expect(broken.events.at(-1)?.attributes).toMatchObject({ error: name, at: expect.stringContaining('gate.test') })
  }
  await broken.close()
})

describe('isAlive', () => {
  test('that throws, rejects or hangs is 503, and is asked only about proven credentials', async () => {
    const answers: (() => boolean | Promise<boolean>)[] = [
      () => {
        throw new Error('boom')
      },
      () => Promise.reject(new Error('boom')),
      () => new Promise(() => undefined),
    ]
    for (const isAlive of answers) {
      let asked = 0
      const registry = {
        livenessTimeoutMs: 20,
        isAlive: () => {
          asked += 1
          return isAlive()
        },
      }
      const one = await mcpApp({ registry })
      const issued = await one.credentials.issue(agent)
      one.pass(60 * 60_000)
      expect((await send(one.port, bearer(withOtherSecret(issued.token)))).status).toBe(401)
      expect(asked).toBe(0)
      const answer = await send(one.port, { authorization: issued.authorizationHeader })
      expect([answer.status, one.last(), asked]).toEqual([503, 'liveness', 1])
      await one.close()
    }
  })

  test('with a bug is 500, and otherwise the event names what it threw', async () => {
    let thrown: Error = new SyntaxError('a garbled answer')
    const registry = {
      isAlive: () => {
        throw thrown
      },
    }
    const one = await mcpApp({ registry })
    const { authorizationHeader: authorization } = await one.credentials.issue(agent)
    one.pass(60 * 60_000)
    expect((await send(one.port, { authorization })).status).toBe(503)
    expect(one.events.at(-1)).toMatchObject({ reason: 'liveness', attributes: { error: 'SyntaxError' } })
    thrown = new ReferenceError('x is not defined')
    expect((await send(one.port, { authorization })).status).toBe(500)
    expect(one.events.at(-1)).toMatchObject({ reason: 'internal_error', attributes: { error: 'ReferenceError' } })
    const token = authorization.slice('Bearer '.length)
    expect(() => one.credentials.resolve(token)).toThrow(thrown)
    thrown = new SyntaxError('a garbled answer')
    expect(() => one.credentials.resolve(token)).toThrow(
      expect.objectContaining({ name: 'UnavailableError', dependency: 'liveness', cause: thrown }),
    )
    await one.close()
  })

  test('that says yes revives an idle credential, with a promise too', async () => {
    const one = await mcpApp({ registry: { isAlive: async ({ threadId }) => threadId === 't1' } })
    const issued = await one.credentials.issue(agent)
    one.pass(10 * 3_600_000)
    expect((await send(one.port, { authorization: issued.authorizationHeader })).status).toBe(200)
    await one.close()
  })
})

test('a decision in memory is made in the same tick, without a promise', async () => {
  const issued = await app.credentials.issue(agent)
  const found = app.credentials.resolve(issued.token)
  expect(found).not.toBeInstanceOf(Promise)
  expect((found as { standing: string }).standing).toBe('live')
})

test('the handler has its name, and the gate its kind', () => {
  const gate = requireMcpCredential({ credentials: app.credentials })
  expect([gate.name, gate.kind, gate.reads]).toEqual(['requireMcpCredential', 'mcp-credential', ['authorization']])
  expect(gate.optional().name).toBe('requireMcpCredential')
})

test('a wrong option throws at creation with its name and the remedy', () => {
  const { credentials } = app
  const wrong = (options: object) => () => requireMcpCredential(options as never)
  expect(wrong({})).toThrow('option "credentials" is required')
  expect(wrong({ credentials, tool: {} })).toThrow('Did you mean "tools"?')
  expect(wrong({ credentials, tools: { a: 1 } })).toThrow('"tools"')
  expect(wrong({ credentials, tools: { '': 'a' } })).toThrow('"tools"')
  expect(wrong({ credentials, denyAs: 'html' })).toThrow(`'http', 'jsonrpc'`)
  expect(wrong({ credentials, recheckMs: 5000 })).toThrow('unknown option "recheckMs"')
  expect(wrong({ credentials, recheckSeconds: 5000 })).toThrow('a number of seconds from 0.01 to 3600')
})
