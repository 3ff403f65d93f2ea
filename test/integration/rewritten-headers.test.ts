import { firstPresented } from '@countersign/core'
import { memorySecrets, requireHmac, sign, xHeaders } from '@countersign/hmac'
import { createMcpCredentials, type McpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { createSettingsSessions, requireSettingsSession } from '@countersign/settings-session'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import express from 'express'
import { recordedAudit } from '../support/audit-recorder.js'
import { type RunningServer, serve } from '../support/http-server.js'
import { type TestIssuer, testIssuer } from '../support/test-issuer.js'
import { catchWarnings, pageOf } from '../support/warnings.js'

const SECRET = 'a-secret-of-the-tests-that-is-long-enough'
const AUDIENCE = 'app.example.com'
const { audit, events, clear } = recordedAudit()

let issuer: TestIssuer
let credentials: McpCredentials
let running: RunningServer
/** What a middleware before the gates puts into `req.headers`. */
let rewritten: Readonly<Record<string, string>> = {}
/** A credential of each gate. */
let own: Readonly<Record<'hmac' | 'oauth' | 'mcp' | 'settings', Readonly<Record<string, string>>>>

beforeAll(async () => {
  issuer = await testIssuer({ algorithm: 'ES256' })
  credentials = createMcpCredentials({ audit })
  const settings = createSettingsSessions({ baseUrl: 'http://localhost:3000/settings', audit })
  const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }])
  const gates = {
    hmac: requireHmac({ secrets, audience: AUDIENCE, formats: [xHeaders()], audit }),
    oauth: requireOAuthBearer({ resource: issuer.resource, issuer: issuer.url, audit }),
    mcp: requireMcpCredential({ credentials, audit }),
    settings: requireSettingsSession({ settings, audit }),
  }
  const app = express().use((request, _response, next) => {
    Object.assign(request.headers, rewritten)
    next()
  })
  for (const [name, gate] of Object.entries(gates)) app.use(`/${name}`, gate).use(`/optional/${name}`, gate.optional())
  app.use('/any', firstPresented(gates.hmac, gates.mcp, gates.oauth, gates.settings))
  running = await serve(app.use((request, response) => response.json({ kind: request.principal?.kind })))
  const issued = await credentials.issue({ threadId: 't1', providerInstanceId: 'p1', capabilities: [] })
  const signer = { caller: 'scheduler', version: 1, secret: SECRET, audience: AUDIENCE, format: xHeaders() }
  own = {
    hmac: sign({ method: 'GET', url: '/hmac', headers: {} }, signer),
    oauth: { authorization: `Bearer ${await issuer.token()}` },
    mcp: { authorization: issued.authorizationHeader },
    settings: { cookie: 'countersign-settings=a' },
  }
})
afterAll(async () => {
  await running.close()
  await issuer.stop()
  credentials.close()
})
beforeEach(clear)

const { warnings, stop } = catchWarnings()
afterAll(stop)

test.each(['hmac', 'oauth', 'mcp', 'settings'] as const)(
  '[core-rewritten-header] a credential for %s that a middleware puts into req.headers is 500, behind optional() and firstPresented, too',
  async (gate) => {
    const paths = [`/${gate}`, `/optional/${gate}`, '/any']
    const [field = ''] = Object.keys(own[gate])
    rewritten = own[gate]
    for (const path of paths) {
      // It was not sent at all, or something else was.
      for (const headers of [{}, { [field]: 'another' }]) {
        const answer = await fetch(running.url + path, { headers })
        expect([path, answer.status]).toEqual([path, 500])
      }
    }
    expect(events.map(({ reason, attributes }) => [reason, attributes?.code])).toEqual(
      Array(6).fill(['internal_error', 'ERR_COUNTERSIGN_HEADER_REWRITTEN']),
    )
    // As it came, it is decided on.
    rewritten = {}
    expect((await fetch(`${running.url}/${gate}`, { headers: own[gate] })).status).toBe(gate === 'settings' ? 401 : 200)
  },
)

test('each field is told of once, with the page', () => {
  const fields = ['x-countersign-caller', 'authorization', 'cookie']
  expect(warnings.map(({ message }) => /"([^"]+)"/.exec(message)?.[1])).toEqual(fields)
  expect(new Set(warnings.map(pageOf))).toEqual(
    new Set(['https://countersign.example/errors/COUNTERSIGN_HEADER_REWRITTEN']),
  )
})
