import { createAudit, memoryReplay } from '@countersign/core'
import { memorySecrets, requireHmac, rfc9421, sign, xHeaders } from '@countersign/hmac'
import { explainSignature } from '@countersign/hmac/explain'
import { createMcpCredentials, memoryCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { discoverIssuer } from '@countersign/oauth-bearer/explain'
import { createSettingsSessions, memorySessions, requireSettingsSession } from '@countersign/settings-session'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import { type RunningServer, serve } from '../support/http-server.js'
import { optionNames } from '../support/option-names.js'
import { isLong } from '../support/run-length.js'
import { type TestIssuer, testIssuer } from '../support/test-issuer.js'
import { type Wire, wire } from '../support/wire.js'

const SECRET = 'a-secret-of-the-tests-that-is-long-enough'
const RESOURCE = 'https://api.example.com'
const prototype = Object.prototype as unknown as Record<string, unknown>

/** What an attacker might put there: what opens, what other options look like, and what is nothing of the sort. */
const VALUES: readonly unknown[] = [true, 'admin', ['admin'], 3600, () => true, { admin: ['admin'], scheduler: false }]

/** What the answer shows of a principal: what is the same each time. */
const SHOWN = [
  'kind',
  'scopes',
  'capabilities',
  'claims',
  'caller',
  'scheme',
  'version',
  'userId',
  'clientId',
  'resource',
]

/** Pollutes until the returned function is called. */
function pollute(names: readonly string[], value: unknown): () => void {
  for (const name of names) prototype[name] = value
  return () => {
    for (const name of names) delete prototype[name]
  }
}

/** The names that are polluted at once: one changed decision in a group is seen as well as one of a name alone. */
function groupsOf(names: readonly string[], size: number): readonly (readonly string[])[] {
  return Array.from({ length: Math.ceil(names.length / size) }, (_, i) => names.slice(i * size, (i + 1) * size))
}

let issuer: TestIssuer
let jwks: { keys: object[] }
let tokens: Record<'good' | 'foreign' | 'expired' | 'narrow', string>
const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }])
const sessions = memorySessions()
let handler: RequestHandler
let running: RunningServer
let session = ''

beforeAll(async () => {
  issuer = await testIssuer({ resource: RESOURCE })
  jwks = (await (await fetch(`${issuer.url}/jwks`)).json()) as typeof jwks
  const past = Math.floor(Date.now() / 1000) - 7200
  tokens = {
    good: await issuer.token(),
    foreign: await issuer.token({ claims: { aud: 'https://other.example.com' } }),
    expired: await issuer.token({ claims: { iat: past, exp: past + 300 } }),
    narrow: await issuer.token({ claims: { scope: 'profile' } }),
  }
  running = await serve((request, response) => handler(request as never, response as never, () => undefined))
  session = await signIn()
})

afterAll(async () => {
  await running.close()
  await issuer.stop()
})

/** All four gates, new, and an app over them. `during` runs what decides, in a polluted process or a clean one. */
async function createApp(during: <T>(work: () => T) => T): Promise<{ app: RequestHandler; credential: string }> {
  const audit = createAudit()
  const made = during(() => {
    const legacy = { headers: ['x-key'], keys: { worker: ['an-old-key'], scheduler: ['another-old-key'] } }
    const hmac = { secrets, audience: 'app.example.com', callers: ['scheduler', 'worker'], audit }
    const oauth = requireOAuthBearer({
      resource: RESOURCE,
      issuer: { issuer: issuer.url, jwks },
      scopes: ['files:read'],
      cache: false,
      audit,
    })
    const credentials = createMcpCredentials({ store: memoryCredentials(), audit })
    const settings = createSettingsSessions({ baseUrl: `${running.url}/settings`, store: sessions, audit })
    return {
      credentials,
      settings,
      gates: {
        '/hmac': requireHmac({ ...hmac, formats: [rfc9421(), xHeaders()], replay: memoryReplay() }),
        '/rollout': requireHmac({ ...hmac, legacy, enforce: { scheduler: true } }),
        '/oauth': oauth,
        '/scopes': oauth.scopes('files:write'),
        '/verify': requireOAuthBearer({
          resource: RESOURCE,
          issuer: { issuer: issuer.url, verify: () => ({ subject: 'u1' }) },
          scopes: ['admin'],
          audit,
        }),
        '/step-up': oauth.stepUp({ maxAuthAgeSeconds: 60, acr: ['urn:mfa'] }),
        '/mcp': requireMcpCredential({ credentials, tools: { 'preview_*': 'preview' }, audit }),
        '/settings/gate': requireSettingsSession({ settings, audit }),
        '/settings/recent': requireSettingsSession({ settings, kinds: ['other'], audit }),
      },
    }
  })
  const issued = await during(() => made.credentials.issue({ threadId: 't', providerInstanceId: 'p' }))
  const app = express()
  app.use('/mcp', express.json())
  app.use('/settings', made.settings.routes())
  for (const [path, gate] of Object.entries(made.gates)) {
    app.use(
      path,
      (request, response, next) => during(() => gate(request, response, next)),
      (request, response) => {
        const principal = Object.entries(request.principal ?? {}).filter(([name]) => SHOWN.includes(name))
        const { auth } = request as { auth?: object }
        response.json({ principal, auth: Object.entries(auth ?? {}).filter(([name]) => SHOWN.includes(name)) })
      },
    )
  }
  return { app: app as unknown as RequestHandler, credential: issued.authorizationHeader }
}

function requests(credential: string): readonly (readonly [string, Wire])[] {
  const signed = (format: ReturnType<typeof rfc9421>, over: object = {}) =>
    sign(
      { method: 'POST', url: '/hmac', headers: {} },
      { caller: 'scheduler', version: 1, secret: SECRET, audience: 'app.example.com', format, ...over },
    )
  const post = (path: string, headers: Record<string, string>, body = ''): Wire => {
    return { method: 'POST', path, headers, body }
  }
  const bearer = (path: string, token: string) => ({ path, headers: { authorization: `Bearer ${token}` } })
  const call = (name: string) => JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } })
  const agent = { authorization: credential, 'content-type': 'application/json' }
  return [
    ['an rfc9421 signature', post('/hmac', signed(rfc9421()))],
    ['an x-headers signature', post('/hmac', signed(xHeaders()))],
    ['a signature by a wrong secret', post('/hmac', signed(rfc9421(), { secret: `${SECRET}!` }))],
    ['a signature for another audience', post('/hmac', signed(rfc9421(), { audience: 'other.example.com' }))],
    ['an old signature', post('/hmac', signed(rfc9421(), { now: Date.now() - 1_800_000 }))],
    ['an unknown caller', post('/hmac', signed(rfc9421(), { caller: 'worker' }))],
    ['no signature', post('/hmac', {})],
    ['an old key', post('/rollout', { 'x-key': 'an-old-key' })],
    ['an old key that is refused', post('/rollout', { 'x-key': 'another-old-key' })],
    ['a wrong old key', post('/rollout', { 'x-key': 'admin' })],
    ...(['good', 'foreign', 'expired', 'narrow'] as const).map(
      (name) => [`the token "${name}"`, bearer('/oauth', tokens[name])] as const,
    ),
    ['a scope that is missing', bearer('/scopes', tokens.good)],
    ['an authentication that is missing', bearer('/step-up', tokens.good)],
    ['a token that the app verifies', bearer('/verify', 'opaque')],
    ['no token', { path: '/oauth' }],
    ['a credential', post('/mcp', agent, JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }))],
    ['a tool that needs a capability', post('/mcp', agent, call('preview_a'))],
    ['a tool without a rule', post('/mcp', agent, call('delete_a'))],
    ['a stream', { path: '/mcp', headers: agent }],
    ['no credential', post('/mcp', { 'content-type': 'application/json' }, call('preview_a'))],
    ['a session', { path: '/settings/gate', headers: { cookie: session } }],
    ['a session of another kind', { path: '/settings/recent', headers: { cookie: session } }],
    ['no session', { path: '/settings/gate' }],
    ['a request of another site', post('/settings/gate', { cookie: session, origin: 'https://evil.example' })],
  ]
}

/** Opens a link, as a browser does, and returns the cookie of the session. */
async function signIn(): Promise<string> {
  const settings = createSettingsSessions({ baseUrl: `${running.url}/settings`, store: sessions, audit: createAudit() })
  const app = express()
  app.use('/settings', settings.routes())
  handler = app as unknown as RequestHandler
  const { url } = await settings.issueLink({ platform: 'chat', userId: 'u1' })
  const cookieOf = (response: Response) => response.headers.getSetCookie().map((line) => line.split(';')[0] as string)
  const received = await fetch(url.reveal('deliver-to-user'), { redirect: 'manual' })
  const cookie = cookieOf(received).join('; ')
  const page = await (await fetch(`${running.url}/settings/open`, { headers: { cookie, accept: 'text/html' } })).text()
  const token = /name="token" value="([^"]+)"/.exec(page)?.[1] ?? ''
  const opened = await fetch(`${running.url}/settings/open`, {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie, origin: running.url },
    body: new URLSearchParams({ token }),
  })
  return cookieOf(opened).find((line) => !line.includes('-open')) ?? ''
}

/** Status and body of each request, the bodies of refusals included. */
async function decisions(during: <T>(work: () => T) => T): Promise<Record<string, string>> {
  const { app, credential } = await createApp(during)
  handler = app
  const found: Record<string, string> = {}
  for (const [name, request] of requests(credential)) {
    const { status, text, headers } = await wire(running.port, request)
    found[name] = `${status} ${text} ${headers['www-authenticate'] ?? ''}`
  }
  return found
}

const clean = <T>(work: () => T) => work()

test('decisions are as expected while nothing is polluted', async () => {
  const found = Object.entries(await decisions(clean)).map(([name, answer]) => [name, answer.slice(0, 3)])
  expect(Object.fromEntries(found)).toEqual({
    'an rfc9421 signature': '200',
    'an x-headers signature': '200',
    'a signature by a wrong secret': '401',
    'a signature for another audience': '401',
    'an old signature': '401',
    'an unknown caller': '401',
    'no signature': '401',
    'an old key': '200',
    'an old key that is refused': '401',
    'a wrong old key': '401',
    'the token "good"': '200',
    'the token "foreign"': '401',
    'the token "expired"': '401',
    'the token "narrow"': '403',
    'a scope that is missing': '403',
    'an authentication that is missing': '401',
    'a token that the app verifies': '403',
    'no token': '401',
    'a credential': '200',
    'a tool that needs a capability': '403',
    'a tool without a rule': '403',
    'a stream': '200',
    'no credential': '401',
    'a session': '200',
    'a session of another kind': '403',
    'no session': '401',
    'a request of another site': '403',
  })
})

test('[core-polluted-prototype] no option on the prototype of all objects changes a decision', async () => {
  const expected = await decisions(clean)
  const names = optionNames()
  expect(names.length).toBeGreaterThan(100)
  const changed: string[] = []
  for (const group of groupsOf(names, isLong ? 1 : 10)) {
    for (const value of VALUES) {
      const during = <T>(work: () => T): T => {
        const restore = pollute(group, value)
        let isPending = false
        try {
          const result = work()
          isPending = typeof (result as Promise<unknown> | undefined)?.then === 'function'
          if (isPending) void (result as Promise<unknown>).finally(restore)
          return result
        } finally {
          if (!isPending) restore()
        }
      }
      const found = await decisions(during).catch((error: unknown) => ({ error: String(error) }))
      for (const [request, answer] of Object.entries(found)) {
        if (answer !== expected[request as keyof typeof expected]) {
          changed.push(`${group.join(', ')} = ${String(value)}: ${request}: ${answer}`)
        }
      }
    }
  }
  expect(changed.slice(0, 60)).toEqual([])
}, 300_000)

test('an explanation takes its own options alone', async () => {
  const headers = sign(
    { method: 'POST', url: '/hmac', headers: {} },
    { caller: 'scheduler', version: 1, secret: SECRET, audience: 'app.example.com', now: Date.now() - 1_800_000 },
  )
  const restore = pollute(['now'], Date.now() - 1_800_000)
  const explained = explainSignature(
    { method: 'POST', url: '/hmac', headers },
    { secrets, audience: 'app.example.com' },
  )
  restore()
  await expect(explained).resolves.toMatchObject({ verdict: { outcome: 'denied', reason: 'expired' } })
})

test('the search for the metadata of an issuer takes its own options alone', async () => {
  let isAsked = false
  const elsewhere = await serve((_request, response) => {
    isAsked = true
    response.end(JSON.stringify({ issuer: issuer.url }))
  })
  const issuer = await serve((_request, response) => void response.end(JSON.stringify({ issuer: issuer.url })))
  const restore = pollute(['metadataUrl'], elsewhere.url)
  const found = discoverIssuer(issuer.url)
  restore()
  expect((await found).url).toBe(`${issuer.url}/.well-known/oauth-authorization-server`)
  expect(isAsked).toBe(false)
  await Promise.all([issuer.close(), elsewhere.close()])
})
