// docs/examples/console before ten thousand sessions and credentials, while a hundred requests a second are decided. The first
// argument is the file of the console.
import { randomBytes, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { audit } from '@countersign/core'
import { memorySecrets, requireHmac } from '@countersign/hmac'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { createSettingsSessions, memorySessions } from '@countersign/settings-session'
import express from 'express'

const { createConsole } = await import(pathToFileURL(process.argv[2]).href)
const COUNT = 10_000
const TICK_MS = 50
const IN_A_TICK = 5
/** Nothing listens there. */
const ISSUER = 'http://127.0.0.1:9'

const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const origin = `http://127.0.0.1:${server.address().port}`

const changes = []
let decisions = 0
audit.subscribe(function counts({ type, attributes }) {
  if (type.startsWith('access.')) decisions += 1
  if (type.endsWith('.revoked')) changes.push({ type, ...attributes })
})

const callers = ['reports', 'mailer', 'scheduler']
const keys = Object.fromEntries(callers.map((caller) => [caller, [randomUUID()]]))
const secrets = memorySecrets(
  callers.map((caller, index) => ({ caller, version: index + 1, secret: randomBytes(32), isPending: index === 1 })),
)
const hmac = requireHmac({ secrets, audience: 'localhost', legacy: { headers: ['x-service-key'], keys } })
const credentials = createMcpCredentials()
const store = memorySessions()
const settings = createSettingsSessions({ baseUrl: 'http://localhost/settings', store })

const app = express()
const ok = (_request, response) => response.json({ status: 'ok' })
app.get('/internal/status', hmac, ok)
app.get('/agent/status', requireMcpCredential({ credentials }), ok)
app.get('/api/status', requireOAuthBearer({ resource: 'http://localhost/api', issuer: ISSUER }), ok)
app.get('/measure', (_request, response) => {
  globalThis.gc()
  response.json({ decisions, changes, heap: process.memoryUsage().heapUsed })
})
app.use(
  '/console',
  (request, response, next) => {
    if (request.get('authorization') === `Basic ${btoa('ana:secret')}`) return next()
    response.status(401).set('WWW-Authenticate', 'Basic realm="console"').end()
  },
  createConsole({
    operator: () => 'ops:ana',
    legacy: { '/internal': hmac },
    credentials,
    settings,
    secrets,
    issuers: [ISSUER],
  }),
)
server.on('request', app)

const tokens = []
for (let index = 0; index < COUNT; index += 1) {
  const { authorizationHeader } = await credentials.issue({
    threadId: `thread-${index}`,
    providerInstanceId: ['claude', 'codex', 'opencode'][index % 3],
    capabilities: ['preview'],
  })
  if (index < 20) tokens.push(authorizationHeader)
}
const limits = { idleMs: 900_000, absoluteMs: 3_600_000, maxSessions: 5 }
for (let index = 0; index < COUNT; index += 1) {
  const user = { platform: 'slack', team: 'T024BE7LD', userId: `U${String(index).padStart(5, '0')}` }
  const ref = { tag: `0${randomBytes(12).toString('base64url')}`, hash: randomBytes(32).toString('base64url') }
  store.openSession({ ref, content: { user, kind: 'settings' }, state: 'active', limits })
  const principal = { kind: 'settings-session', id: `slack:${user.team}:${user.userId}` }
  const about = { gate: 'settings-session', principal, credential: { id: ref.tag }, attributes: { kind: 'settings' } }
  audit.emit({ type: 'settings.session.opened', ...about })
  if (index % 100 === 0) await turn()
}

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const times = { iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) + 3600 }
const claims = { iss: ISSUER, aud: 'http://localhost/api', sub: 'u1', client_id: 'c1', jti: '1', ...times }
const token = `${part({ alg: 'RS256', typ: 'at+jwt', kid: '1' })}.${part(claims)}.${'A'.repeat(342)}`

/** What comes, in turn: agents, an old key, what is refused, and now and then a token whose issuer cannot be asked. */
function headersOf(index) {
  if (index % 200 === 0) return ['/api/status', { authorization: `Bearer ${token}` }]
  if (index % 5 === 1) return ['/internal/status', { 'x-service-key': keys[callers[index % 2]][0] }]
  if (index % 10 === 3) return ['/agent/status', { authorization: `Bearer mcps_${'a'.repeat(40)}` }]
  if (index % 25 === 4) return ['/internal/status', { 'x-service-key': 'a-guess' }]
  return ['/agent/status', { authorization: tokens[index % tokens.length] }]
}

let sent = 0
setInterval(() => {
  for (let index = 0; index < IN_A_TICK; index += 1) {
    const [path, headers] = headersOf(sent)
    sent += 1
    fetch(`${origin}${path}`, { headers }).then(
      (response) => response.arrayBuffer(),
      () => undefined,
    )
  }
}, TICK_MS)
process.stdout.write(`${origin}\n`)
