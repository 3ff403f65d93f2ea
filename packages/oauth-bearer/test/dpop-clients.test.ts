import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type RequireOAuthBearerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { DpopSession } from '@modelcontextprotocol/client'
import express, { type Express } from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { messageFrom } from '../../../test/support/child-messages.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import type { Told } from './dpop-client-process.js'
import { mcpSession } from './mcp-session.js'
import { mcpTools } from './mcp-tools.js'
import { type RealProvider, startProvider } from './provider.js'

const nonce = { secret: 'a secret of 32 bytes or more, for the nonces of the tests' }
const introspection = { clientId: 'resource', clientSecret: 'the-secret-of-the-resource' }

let provider: RealProvider
let app: Express
let server: RunningServer
let recorded: ReturnType<typeof recordedAudit>
beforeAll(async () => {
  provider = await startProvider()
}, 30_000)
afterAll(() => provider.stop())
beforeEach(async () => {
  recorded = recordedAudit()
  app = express()
  server = await serve(app)
})
afterEach(() => server.close())

const gateFor = (path: string, dpop: RequireOAuthBearerOptions['dpop'], issuer: object = {}) =>
  requireOAuthBearer({
    resource: `${server.url}${path}`,
    issuer: { issuer: provider.issuer, ...issuer },
    audit: recorded.audit,
    dpop,
  })

/** Runs a client as a process of its own, and waits for what it saw. */
async function runClient(library: string, api: string): Promise<Told> {
  const file = fileURLToPath(new URL('./dpop-client-process.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=dev-source', '--import', 'tsx', file], {
    env: { ...process.env, NODE_OPTIONS: '', LIBRARY: library, API: api, ISSUER: provider.issuer },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  try {
    return await messageFrom(child, (message) => message as unknown as Told)
  } finally {
    child.kill('SIGKILL')
  }
}

describe('[dpop-real-clients] clients in processes of their own, with bound tokens of oidc-provider', () => {
  test.each(['oauth4webapi', 'openid-client'])('%s: a JWT, with a nonce', async (library) => {
    app.all('/api', gateFor('/api', { mode: 'required', nonce }), (_request, response) => void response.json({}))
    const { type, claims, seen } = await runClient(library, `${server.url}/api`)
    expect([type, seen]).toEqual(['dpop', [200, 200, 200, 401]])
    expect(recorded.reasons()).toEqual(['bad_proof', undefined, undefined, undefined, 'bound_token'])
    expect(recorded.events[0]?.attributes).toMatchObject({ part: 'nonce' })
    expect(recorded.events[1]?.attributes).toMatchObject({ via: 'jwt', jkt: claims?.cnf?.jkt })
  })

  test.each(['oauth4webapi', 'openid-client'])('%s: an opaque token, without a nonce', async (library) => {
    const gate = gateFor('/opaque', 'accepted', { introspection })
    app.all('/opaque', gate, (_request, response) => void response.json({}))
    const { type, claims, seen } = await runClient(library, `${server.url}/opaque`)
    expect([type, claims, seen]).toEqual(['dpop', undefined, [200, 200, 200, 401]])
    expect(recorded.reasons()).toEqual([undefined, undefined, undefined, 'bound_token'])
    expect(recorded.events[0]?.attributes).toMatchObject({
      via: 'introspection',
      jkt: expect.stringMatching(/^.{43}$/),
    })
  })
})

describe('[dpop-mcp-client] the MCP SDK’s client, with its own proofs', () => {
  test.each<[string, RequireOAuthBearerOptions['dpop']]>([
    ['without a nonce', 'required'],
    ['with a nonce', { mode: 'required', nonce }],
    ['beside bearer tokens', { mode: 'accepted', nonce }],
  ])('goes from 401 to a tool, and over a step-up to another one, %s', async (_title, dpop) => {
    const gate = gateFor('/mcp', dpop)
    const write = gate.scopes('files:write')
    app.use(gate.metadata({ scopesSupported: ['mcp'] }))
    app.all('/mcp', express.json(), gate.scopes('mcp'), (request, response, next) =>
      request.body?.params?.name === 'write_file' ? write(request, response, next) : next(),
    )
    app.all('/mcp', mcpTools())
    const proofs = await DpopSession.create()
    const session = mcpSession('v2', `${server.url}/mcp`, undefined, { dpop: () => proofs })
    try {
      await expect(session.connect()).rejects.toThrow(/unauthorized/i)
      await session.authorize()
      expect(session.store.kept.tokens).toMatchObject({ token_type: expect.stringMatching(/^dpop$/i) })
      await session.connect()
      expect(await session.call('read_file')).toBe('read_file for u1')
      await expect(session.call('write_file')).rejects.toThrow(/unauthorized/i)
      await session.authorize()
      expect(await session.call('write_file')).toBe('write_file for u1')
      expect(recorded.events.at(-1)?.attributes).toMatchObject({ scheme: 'dpop', jkt: proofs.thumbprint })
      expect(new Set(recorded.reasons())).toEqual(
        new Set([undefined, 'missing', 'insufficient_scope', ...(typeof dpop === 'object' ? ['bad_proof'] : [])]),
      )
    } finally {
      await session.close()
    }
  })
})
