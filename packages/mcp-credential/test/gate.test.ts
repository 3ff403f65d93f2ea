import { firstPresented, UnavailableError } from '@countersign/core'
import { defineGate, granted } from '@countersign/core/gate-kit'
import { requireMcpCredential } from '@countersign/mcp-credential'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express from 'express'
import { serve } from '../../../test/support/http-server.js'
import { agent, type Harness, mcpApp, send, withOtherSecret } from './harness.js'

let app: Harness
beforeAll(async () => {
  app = await mcpApp()
})
afterAll(() => app.close())

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const INVALID =
  '{"type":"about:blank","title":"Unauthorized","status":401,"error":"invalid_token","error_description":"The credential is not valid"}'

test('a good credential gives its principal, req.auth in the SDK’s shape, and is taken out of the request', async () => {
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

/** What cannot be meant for this gate, and what its event says. */
const NOTHING_OF_OURS: readonly [Record<string, string>, object | undefined][] = [
  [{}, undefined],
  [{ authorization: 'Basic dXNlcjpwYXNz' }, { scheme: 'basic' }],
  [{ authorization: 'Digest username="a", realm="b"' }, { scheme: 'digest' }],
  [{ authorization: 'secret-key-of-another-kind' }, { scheme: 'other' }],
  [bearer('eyJhbGciOiJub25lIn0.e30.x'), { scheme: 'bearer', expected_prefix: 'mcps' }],
  [bearer('e'.repeat(9000)), { scheme: 'bearer', expected_prefix: 'mcps' }],
  [bearer('other_token'), { scheme: 'bearer', expected_prefix: 'mcps' }],
]

test('nothing presented is 401 with a bare challenge; another scheme, or a token without our prefix, is nothing', async () => {
  for (const [headers, seen] of NOTHING_OF_OURS) {
    const answer = await send(app.port, headers)
    expect([answer.status, answer.headers['www-authenticate'], app.last()]).toEqual([401, 'Bearer', 'missing'])
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(app.events.at(-1)?.attributes).toEqual(seen)
  }
})

test('optional lets through what cannot be meant for this gate, without a principal', async () => {
  const lenient = await optionalApp()
  for (const [headers] of NOTHING_OF_OURS) {
    const answer = await send(lenient.port, headers)
    expect([answer.status, answer.text]).toEqual([200, '{}'])
  }
  await lenient.close()
})

test('optional refuses our prefix in any malformed form, a bare Bearer, a variable and a doubled field', async () => {
  const lenient = await optionalApp()
  const { token, authorizationHeader } = await app.credentials.issue({ ...agent, threadId: 'optional' })
  const refused: readonly [string | string[], number, string][] = [
    ['Bearer mcps_', 401, 'malformed'],
    [`${authorizationHeader}x`, 401, 'malformed'],
    [`${authorizationHeader} x`, 401, 'malformed'],
    [token, 401, 'malformed'],
    ['mcps_junk', 401, 'malformed'],
    ['Bearer two words', 401, 'malformed'],
    ['', 401, 'malformed'],
    ['Bearer', 401, 'placeholder'],
    ['bearer ', 401, 'placeholder'],
    [`Bearer \${MCP_CRED_APP}`, 401, 'placeholder'],
    [`\${MCP_CRED_APP}`, 401, 'placeholder'],
    ['$MCP_CRED_APP', 401, 'placeholder'],
    ['%MCP_CRED_APP%', 401, 'placeholder'],
    [[authorizationHeader, authorizationHeader], 400, 'ambiguous'],
    [['Basic dXNlcjpwYXNz', authorizationHeader], 400, 'ambiguous'],
  ]
  for (const [authorization, status, reason] of refused) {
    const answer = await send(lenient.port, { authorization })
    expect([authorization, answer.status, app.last()]).toEqual([authorization, status, reason])
  }
  expect((await send(lenient.port, { authorization: authorizationHeader })).text).toContain('"threadId":"optional"')
  await lenient.close()
})

/** An app on the same registry whose gate is optional. */
async function optionalApp() {
  const lenient = express()
  lenient.use(requireMcpCredential({ credentials: app.credentials, audit: app.audit }).optional())
  lenient.use((request, response) => void response.json({ principal: request.principal }))
  return serve(lenient)
}

test('a refused token is taken out of the request before an error handler sees it', async () => {
  const passing = express()
  passing.use(requireMcpCredential({ credentials: app.credentials, audit: app.audit, onDenied: 'next' }))
  passing.use(((_error, request, response, _next) => {
    response.status(418).json([request.headers.authorization, request.rawHeaders.includes('authorization')])
  }) as express.ErrorRequestHandler)
  const running = await serve(passing)
  const answer = await send(running.port, bearer('mcps_junk'))
  expect([answer.status, answer.text]).toEqual([418, '[null,false]'])
  const other = await send(running.port, { authorization: 'Basic dXNlcjpwYXNz' })
  expect([other.status, other.text]).toEqual([418, '["Basic dXNlcjpwYXNz",true]'])
  await running.close()
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
  const ROUNDS = 41
  const CALLS = 400
  const time = (token: string) => {
    const from = process.hrtime.bigint()
    for (let call = 0; call < CALLS; call += 1) void app.credentials.resolve(token)
    return Number(process.hrtime.bigint() - from)
  }
  const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number
  const times: Record<'unknown' | 'wrong', number[]> = { unknown: [], wrong: [] }
  for (let round = 0; round < ROUNDS; round += 1) {
    times.unknown.push(time(unknown))
    times.wrong.push(time(wrong))
  }
  const ratio = median(times.wrong) / median(times.unknown)
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

test('an unexpanded variable, and an empty one, get an answer that says so', async () => {
  const values = [
    `Bearer \${MCP_CRED_APP}`,
    'bearer $MCP_CRED',
    'Bearer {env:MCP}',
    'Bearer %MCP_CRED%',
    'Bearer {{x}}',
    'Bearer',
  ]
  for (const authorization of values) {
    const answer = await send(app.port, { authorization })
    expect([answer.status, app.last()]).toEqual([401, 'placeholder'])
    expect(answer.text).toContain('environment variable')
  }
  await send(app.port, { authorization: 'Bearer two words' })
  expect(app.last()).toBe('malformed')
})

test('two Authorization fields are 400, and a credential in query or body is none', async () => {
  const { authorizationHeader, token } = await app.credentials.issue(agent)
  const twice = await send(app.port, { authorization: [authorizationHeader, authorizationHeader] })
  expect([twice.status, app.last()]).toEqual([400, 'ambiguous'])
  const elsewhere = await send(app.port, {}, { access_token: token }, 'POST', `/?access_token=${token}`)
  expect([elsewhere.status, app.last()]).toEqual([401, 'missing'])
})

test('a token longer than any is refused before it is looked at', async () => {
  app.calls.length = 0
  const answer = await send(app.port, bearer(`mcps_${'a'.repeat(8000)}`))
  expect([answer.status, app.last(), app.calls]).toEqual([401, 'malformed', []])
})

test('a store that is down is 503 with words to wait, and no challenge', async () => {
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

test('what a store throws is a bug or an outage, by one rule, and the event names it', async () => {
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
  test('that throws, rejects or hangs is 503, and asked for nobody who is not proven', async () => {
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

  test('that throws what is a bug is 500, and else the event names what it threw', async () => {
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
    await one.close()
  })

  test('that says yes lets an idle holder in, over a promise too', async () => {
    const one = await mcpApp({ registry: { isAlive: async ({ threadId }) => threadId === 't1' } })
    const issued = await one.credentials.issue(agent)
    one.pass(10 * 3_600_000)
    expect((await send(one.port, { authorization: issued.authorizationHeader })).status).toBe(200)
    await one.close()
  })
})

test('presents is true for our prefix alone, so that an OAuth client can share the route', async () => {
  const { credentials } = app
  const gate = requireMcpCredential({ credentials })
  const reached: string[] = []
  const other = defineGate({
    name: 'other',
    middleware: 'requireOther',
    reads: ['authorization'],
    read: (request) => (request.headers.authorization?.startsWith('Bearer ') ? 'other' : undefined),
    verify(id) {
      reached.push(id)
      return granted({ kind: 'other', id })
    },
    dependencies: ['none'],
    reasons: { missing: { status: 401, owasp: 'authn_login_fail' } },
    challenge: () => [{ scheme: 'Bearer' }],
  })
  const shared = express()
  shared.use(firstPresented(gate, other), (request, response) => {
    response.json(request.principal?.kind === 'mcp-credential' ? request.principal.threadId : request.principal)
  })
  const running = await serve(shared)
  const { authorizationHeader } = await credentials.issue(agent)
  expect((await send(running.port, { authorization: authorizationHeader })).text).toBe('"t1"')
  const foreign = `eyJhbGciOiJub25lIn0.${'e'.repeat(9000)}.x`
  expect((await send(running.port, bearer(foreign))).text).toBe('{"kind":"other","id":"other"}')
  expect((await send(running.port, bearer('mcps_bad'))).status).toBe(401)
  expect(reached).toEqual(['other'])
  await running.close()
})

test('a decision in memory is made in the same tick, without a promise', async () => {
  const issued = await app.credentials.issue(agent)
  const found = app.credentials.resolve(issued.token)
  expect(found).not.toBeInstanceOf(Promise)
  expect((found as { standing: string }).standing).toBe('live')
})

test('the handler and the gate say what they are', () => {
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
