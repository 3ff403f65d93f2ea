import { firstPresented, type Gate, type PrincipalBase } from '@countersign/core'
import { defineGate, denied, fieldLines, granted } from '@countersign/core/gate-kit'
import { createMcpCredentials, type McpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import express, { type Express, type RequestHandler } from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { agent, send, toolCall } from './harness.js'

const { audit, events } = recordedAudit()
const running: RunningServer[] = []
let credentials: McpCredentials
let authorization: string

beforeAll(async () => {
  credentials = createMcpCredentials({ audit })
  authorization = (await credentials.issue(agent)).authorizationHeader
})
beforeEach(() => {
  events.length = 0
})
afterAll(async () => {
  for (const server of running) await server.close()
  await credentials.close()
})

const tools = { public_hello: [], 'news_*': 'read', 'preview_*': 'preview', shell: 'admin' }

async function appWith(...gates: RequestHandler[]): Promise<number> {
  const app: Express = express()
  app.post('/', ...gates, express.json(), (request, response) => {
    response.json({ kind: request.principal?.kind, body: request.body })
  })
  const server = await serve(app)
  running.push(server)
  return server.port
}

/** A gate of another kind of credential, which looks at a field of its own. */
const other = (): Gate =>
  defineGate<string, PrincipalBase, 'missing', 'store'>({
    name: 'other',
    middleware: 'requireOther',
    reads: ['x-other'],
    read: (request) => fieldLines(request, 'x-other')[0],
    verify: () => granted({ kind: 'other', id: 'o1' }),
    dependencies: ['store'],
    reasons: { missing: { status: 401, owasp: 'authn_login_fail' } },
    challenge: () => [{ scheme: 'Other' }],
    options: { audit },
  })

const status = async (port: number, tool: unknown, headers: Record<string, string> = {}) =>
  (await send(port, headers, toolCall(tool))).status

describe('behind optional(), the rules of tools hold for callers without a credential', () => {
  test('by default they may call what needs nothing, and nothing else', async () => {
    const port = await appWith(requireMcpCredential({ credentials, audit, tools }).optional())
    const hello = await send(port, {}, toolCall('public_hello'))
    expect([hello.status, JSON.parse(hello.text)]).toEqual([200, { body: toolCall('public_hello') }])
    expect(events).toEqual([])
    const refused = await send(port, {}, toolCall('preview_open'))
    expect([refused.status, refused.headers['www-authenticate']]).toEqual([401, 'Bearer realm="mcp"'])
    expect(events.map(({ type, reason, attributes }) => [type, reason, attributes])).toEqual([
      ['access.denied', 'missing', { why: 'tool', tool: 'preview_open', scopes_needed: 'preview', scopes_held: '' }],
    ])
    expect(await status(port, 'unheard_of')).toBe(403)
    expect(await status(port, 'shell', { authorization: 'Basic YTpi' })).toBe(401)
  })

  test('with anonymousCapabilities they may call what these allow', async () => {
    const gate = requireMcpCredential({ credentials, audit, tools, anonymousCapabilities: ['read'] })
    const port = await appWith(gate.optional())
    expect([await status(port, 'news_today'), await status(port, 'preview_open'), await status(port, 'shell')]).toEqual(
      [200, 401, 401],
    )
    // A credential has its own capabilities, and no others.
    expect([
      await status(port, 'preview_open', { authorization }),
      await status(port, 'news_today', { authorization }),
    ]).toEqual([200, 403])
    expect(await status(port, 'news_today', { authorization: 'Bearer mcps_x' })).toBe(401)
  })

  test('a batch, a body that cannot be read and one that is too large are refused as for everybody', async () => {
    const port = await appWith(requireMcpCredential({ credentials, audit, tools, maxBodyBytes: 500 }).optional())
    const ask = async (body: unknown, headers: Record<string, string> = {}) => (await send(port, headers, body)).status
    expect(await ask([toolCall('public_hello'), toolCall('shell', 2)])).toBe(401)
    expect(await ask('{"method":"tools/call","method":"ping"}')).toBe(400)
    expect(await ask(toolCall('public_hello'), { 'content-encoding': 'gzip' })).toBe(415)
    expect(await ask(toolCall('x'.repeat(600)))).toBe(413)
    expect(await ask({ jsonrpc: '2.0', id: 1, method: 'tools/list' })).toBe(200)
  })

  test('in a composition, too, wherever the gate stands', async () => {
    const gate = () => requireMcpCredential({ credentials, audit, tools })
    for (const composed of [firstPresented(other(), gate()), firstPresented(gate(), other())]) {
      const port = await appWith(composed.optional())
      expect([await status(port, 'public_hello'), await status(port, 'shell')]).toEqual([200, 401])
      expect(await status(port, 'shell', { 'x-other': 'yes' })).toBe(200)
    }
  })

  test('who was granted by another gate on this request is not without a credential', async () => {
    const port = await appWith(other().optional(), requireMcpCredential({ credentials, audit, tools }).optional())
    expect([await status(port, 'shell', { 'x-other': 'yes' }), await status(port, 'shell')]).toEqual([200, 401])
  })

  test('without tools everybody without a credential is let through', async () => {
    const port = await appWith(requireMcpCredential({ credentials, audit }).optional())
    expect(await status(port, 'shell')).toBe(200)
  })
})

test('anonymousCapabilities without tools, or in another form, fail the start', () => {
  expect(() => requireMcpCredential({ credentials, anonymousCapabilities: ['read'] })).toThrow(
    'option "anonymousCapabilities" needs "tools"',
  )
  const wrong = 'read' as unknown as string[]
  expect(() => requireMcpCredential({ credentials, tools, anonymousCapabilities: wrong })).toThrow(
    'anonymousCapabilities',
  )
})

test('a hook that throws or refuses answers as a gate does, and a later one is not asked', async () => {
  const asked: string[] = []
  const withHook = (name: string, anonymous: () => undefined | ReturnType<typeof denied<'missing'>>) =>
    defineGate<string, PrincipalBase, 'missing', 'store'>({
      name: 'other',
      middleware: 'requireOther',
      reads: [`x-${name}`],
      read: (request) => fieldLines(request, `x-${name}`)[0],
      verify: () => granted({ kind: 'other', id: 'o1' }),
      anonymous: async () => {
        asked.push(name)
        return anonymous()
      },
      dependencies: ['store'],
      reasons: { missing: { status: 401, owasp: 'authn_login_fail' } },
      challenge: () => [],
      options: { audit },
    })
  const passing = withHook('passing', () => undefined)
  const refusing = withHook('refusing', () => denied('missing'))
  const failing = withHook('failing', () => {
    throw new Error('down')
  })
  const ask = async (...gates: [Gate, ...Gate[]]) => status(await appWith(firstPresented(...gates).optional()), 'any')
  expect([await ask(passing), await ask(passing, refusing), await ask(failing, refusing)]).toEqual([200, 401, 503])
  expect(asked).toEqual(['passing', 'passing', 'refusing', 'failing'])
})
