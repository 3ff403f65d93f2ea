import { firstPresented } from '@countersign/core'
import { defineGate, granted } from '@countersign/core/gate-kit'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import express, { type ErrorRequestHandler } from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { serve } from '../../../test/support/http-server.js'
import { agent, type Harness, mcpApp, send } from './harness.js'

let app: Harness
beforeAll(async () => {
  app = await mcpApp()
})
afterAll(() => app.close())

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

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
    expect([answer.status, answer.headers['www-authenticate'], app.last()]).toEqual([
      401,
      'Bearer realm="mcp"',
      'missing',
    ])
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

test('a refused token is removed from the request before an error handler sees it', async () => {
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

test.each([
  ['malformed', ['Bearer mcps_x']],
  ['malformed', ['mcps_x']],
  ['malformed', ['Bearer mcps_x, Bearer mcps_y']],
  ['malformed', ['Bearer "mcps_x"']],
  ['ambiguous', ['Bearer mcps_x', 'Bearer mcps_y']],
  ['ambiguous', ['Basic YTpi', 'Bearer mcps_y']],
  ['missing', ['Token mcps_x']],
])('a token of ours that is %s (%j) never stays on the request, with onDenied: next either', async (reason, lines) => {
  const { audit, events } = recordedAudit()
  const app = express()
  app.use(requireMcpCredential({ credentials: createMcpCredentials({ audit }), audit, onDenied: 'next' }))
  const left: unknown[] = []
  app.use(((_error, request, response, _next) => {
    const { headers, headersDistinct, rawHeaders } = request
    left.push(
      headers.authorization,
      headersDistinct.authorization,
      rawHeaders.filter((text) => text.includes('mcps_')),
    )
    response.status(401).end()
  }) as ErrorRequestHandler)
  const server = await serve(app)
  await send(server.port, { authorization: lines as string[] })
  expect(left).toEqual([undefined, undefined, []])
  expect(events.at(-1)?.reason).toBe(reason)
  await server.close()
})

test('a credential that is not ours stays for who comes next', async () => {
  const { audit } = recordedAudit()
  const app = express()
  app.use(requireMcpCredential({ credentials: createMcpCredentials({ audit }), audit, onDenied: 'next' }))
  const left: unknown[] = []
  app.use(((_error, request, response, _next) => {
    left.push(request.headers.authorization)
    response.status(401).end()
  }) as ErrorRequestHandler)
  const server = await serve(app)
  const foreign = ['Basic YTpi', 'Bearer other_token', 'Bearer xmcps_token']
  for (const authorization of foreign) await send(server.port, { authorization })
  expect(left).toEqual(foreign)
  await server.close()
})
