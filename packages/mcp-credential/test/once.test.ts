import { once } from 'node:events'
import { get } from 'node:http'
import { firstPresented, type PrincipalBase } from '@countersign/core'
import { defineGate, denied, fieldLines } from '@countersign/core/gate-kit'
import {
  type McpCredentials,
  type RequireMcpCredentialOptions,
  requireMcpCredential,
} from '@countersign/mcp-credential'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import express, { type Express, type RequestHandler } from 'express'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { agent, type Harness, mcpApp, send, toolCall } from './harness.js'

let one: Harness
let credentials: McpCredentials
let authorization: string
const running: RunningServer[] = []

beforeAll(async () => {
  one = await mcpApp()
  credentials = one.credentials
  authorization = (await credentials.issue(agent)).authorizationHeader
})
afterAll(async () => {
  for (const server of running) await server.close()
  await one.close()
})
beforeEach(() => {
  one.calls.length = 0
  one.events.length = 0
})

const gateWith = (options: Omit<RequireMcpCredentialOptions, 'credentials'> = {}) =>
  requireMcpCredential({ credentials, audit: one.audit, ...options })

/** An app on the same registry. */
async function appWith(mount: (app: Express) => void): Promise<number> {
  const app = express()
  app.use(express.json())
  mount(app)
  app.use((request, response) => {
    const { auth } = request as { auth?: { token: string } }
    response.json({ kind: request.principal?.kind, auth: auth?.token, authorization: request.headers.authorization })
  })
  const server = await serve(app)
  running.push(server)
  return server.port
}

const decisions = () =>
  one.events.filter(({ type }) => type.startsWith('access.')).map(({ type, reason }) => [type, reason])

test('mounted twice, the gate asks the store once, lets the request through and reports one grant', async () => {
  const gate = gateWith()
  const port = await appWith((app) => app.use(gate, gate))
  const answer = await send(port, { authorization })
  expect([answer.status, JSON.parse(answer.text).kind]).toEqual([200, 'mcp-credential'])
  expect(one.calls).toEqual(['resolve'])
  expect(decisions()).toEqual([['access.granted', undefined]])
})

test('a wide gate on the router leaves the narrow one on the route its 403, although the header is gone', async () => {
  const port = await appWith((app) => app.use(gateWith(), gateWith({ tools: { 'preview_*': 'preview' } })))
  const open = await send(port, { authorization }, toolCall('preview_open'))
  expect([open.status, JSON.parse(open.text).authorization]).toEqual([200, undefined])
  expect(one.calls).toEqual(['resolve'])
  expect(decisions()).toEqual([['access.granted', undefined]])
  one.events.length = 0
  const refused = await send(port, { authorization }, toolCall('shell'))
  expect([refused.status, JSON.parse(refused.text).error]).toEqual([403, 'insufficient_scope'])
  expect(decisions()).toEqual([
    ['access.granted', undefined],
    ['access.denied', 'insufficient_scope'],
  ])
})

test('a narrow gate that comes first is not switched off by a wide one', async () => {
  const port = await appWith((app) => app.use(gateWith({ tools: { 'preview_*': 'preview' } }), gateWith()))
  expect((await send(port, { authorization }, toolCall('shell'))).status).toBe(403)
  expect(decisions()).toEqual([['access.denied', 'insufficient_scope']])
})

test('an optional gate on the router and a required one on the route decide once', async () => {
  const port = await appWith((app) => app.use(gateWith().optional(), gateWith()))
  expect((await send(port, { authorization })).status).toBe(200)
  expect(decisions()).toEqual([['access.granted', undefined]])
  expect((await send(port)).status).toBe(401)
})

test('each gate strips the header and sets req.auth as its own options say', async () => {
  const plain = { stripHeader: false, attachAuthInfo: false }
  const kept = await appWith((app) => app.use(gateWith(plain), gateWith(plain)))
  expect(JSON.parse((await send(kept, { authorization })).text)).toEqual({ kind: 'mcp-credential', authorization })
  const stripped = await appWith((app) => app.use(gateWith(plain), gateWith()))
  const { auth, ...rest } = JSON.parse((await send(stripped, { authorization })).text)
  expect(rest).toEqual({ kind: 'mcp-credential' })
  expect(auth).toMatch(/^[0-9A-Za-z]{40}$/)
})

test('another registry authenticates the request itself', async () => {
  const other = await mcpApp()
  const foreign = requireMcpCredential({ credentials: other.credentials, audit: other.audit })
  const port = await appWith((app) => app.use(gateWith({ stripHeader: false }), foreign))
  expect((await send(port, { authorization })).status).toBe(401)
  expect(other.last()).toBe('unknown')
  await other.close()
})

test('a session is bound by the registry: another gate of it admits its thread, and no other', async () => {
  const stranger = (await credentials.issue({ ...agent, threadId: 'stranger' })).authorizationHeader
  const makes: RequestHandler = (_request, response) => void response.setHeader('Mcp-Session-Id', 'made').json({})
  const [first, second, both, unbound] = await Promise.all([
    appWith((app) => app.use(gateWith(), makes)),
    appWith((app) => app.use(gateWith())),
    appWith((app) => app.use(gateWith(), gateWith({ tools: { 'preview_*': 'preview' } }), makes)),
    appWith((app) => app.use(gateWith({ bindSessions: false }))),
  ])
  const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize' }
  const made = await send(first, { authorization }, initialize)
  const session = { 'mcp-session-id': String(made.headers['mcp-session-id']) }
  expect((await send(both, { authorization }, initialize)).headers['mcp-session-id']).toBe(session['mcp-session-id'])
  for (const port of [second, both]) {
    expect((await send(port, { authorization, ...session }, toolCall('preview_open'))).status).toBe(200)
    expect((await send(port, { authorization: stranger, ...session }, toolCall('preview_open'))).status).toBe(404)
    expect(one.last()).toBe('session_mismatch')
  }
  expect((await send(both, { authorization, ...session }, toolCall('shell'))).status).toBe(403)
  expect((await send(unbound, { authorization: stranger, ...session })).status).toBe(200)
})

test('a response behind two gates of one registry is watched once', async () => {
  const listeners = async (...gates: RequestHandler[]) => {
    const app = express()
    app.use(...gates, (_request, response) => void response.json(response.listenerCount('close')))
    const server = await serve(app)
    running.push(server)
    return (await send(server.port, { authorization })).text
  }
  expect(await listeners(gateWith(), gateWith())).toBe(await listeners(gateWith()))
})

test('a stream behind two gates of one registry is checked once each time, and ends on revocation', async () => {
  const issued = await credentials.issue({ ...agent, threadId: 'stream' })
  const options = { recheckSeconds: 3600 }
  const app = express()
  app.use(gateWith(options), gateWith(options), (_request, response) => void response.write('data: 0\n\n'))
  const server = await serve(app)
  running.push(server)
  const request = get({ port: server.port, headers: { authorization: issued.authorizationHeader }, agent: false })
  request.on('error', () => undefined)
  const [response] = await once(request, 'response')
  response.on('error', () => undefined)
  response.resume()
  one.calls.length = 0
  const closed = new Promise((resolve) => response.on('close', resolve))
  await issued.revoke()
  await closed
  expect(one.calls).toEqual(['revoke', 'peek'])
})

test.each([
  ['Bearer', 'other'],
  ['Bearer a b', 'other'],
  ['Bearer mcps_', 'mcp-credential'],
  ['Bearer mcps_a b', 'mcp-credential'],
])('beside a gate of other bearer tokens, %j is decided by %s', async (header, kind) => {
  const other = defineGate<string, PrincipalBase, 'missing' | 'bad', 'store'>({
    name: 'other',
    middleware: 'requireOther',
    reads: ['authorization'],
    read: (request) => fieldLines(request, 'authorization')[0],
    verify: () => denied('bad'),
    dependencies: ['store'],
    reasons: { missing: { status: 401, owasp: 'authn_login_fail' }, bad: { status: 400, owasp: 'authn_login_fail' } },
    challenge: () => [],
    options: { audit: one.audit },
  })
  const port = await appWith((app) => app.use(firstPresented(gateWith(), other)))
  await send(port, { authorization: header }, toolCall('preview_open'))
  expect(one.events.at(-1)?.gate).toBe(kind)
})
