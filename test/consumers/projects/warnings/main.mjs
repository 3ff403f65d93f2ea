// An app in which much is wrong: each mistake has a route of its own and is met by many requests. What it says on stderr
// is what an operator without any sink sees. Prints the events of one refused request for each gate, and every credential
// that was sent.
import assert from 'node:assert/strict'
import { createAudit } from '@countersign/audit'
import { memorySecrets, requireHmac, sign } from '@countersign/hmac'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { createSettingsSessions, requireSettingsSession } from '@countersign/settings-session'
import express from 'express'
import { startIssuer } from './issuer.mjs'
import { openLink } from './open-link.mjs'
import { serve } from './serve.mjs'

const ROUNDS = 20
const SECRET = 'a-secret-of-the-consumer-that-is-long-enough'
const AUDIENCE = 'app.example.com'
const FORM = 'application/x-www-form-urlencoded'

const issuer = await startIssuer()
const events = []
const audit = createAudit({ sinks: [(event) => void events.push(event)] })
const app = express()
const { base, close } = await serve(app)
const handler = (_request, response) => void response.end()
const sent = new Set([SECRET])

/** Asks and notes the credentials that went with it. */
async function ask(url, init = {}) {
  for (const value of Object.values(init.headers ?? {})) {
    for (const word of value.split(/[\s;=",]+/)) if (word.length > 40) sent.add(word)
  }
  const { status } = await fetch(new URL(url, base), init)
  return status
}

/** Many requests, each a new one, all answered with this status. */
async function many(status, url, init = () => ({})) {
  for (let round = 0; round < ROUNDS; round += 1) assert.equal(await ask(url, await init()), status, url)
}

// HMAC: a replay store that cannot be asked, a parser before the gate, a signature that is too old.
let isDown = true
const replay = {
  claim() {
    if (isDown) throw Object.assign(new Error(`connect ECONNREFUSED, ${SECRET}`), { code: 'ECONNREFUSED' })
    return 'fresh'
  },
}
const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }])
const hmac = requireHmac({ secrets, audience: AUDIENCE, replay, audit })
app.post('/hmac', hmac, handler)
app.post('/hmac/parsed', express.json(), hmac, handler)
const signed = (path, now = Date.now()) => {
  const body = '{"job":7}'
  const headers = { 'content-type': 'application/json' }
  const request = { method: 'POST', url: `${base}${path}`, headers, body: Buffer.from(body) }
  const signer = { caller: 'scheduler', version: 1, secret: SECRET, audience: AUDIENCE, now }
  return { method: 'POST', headers: { ...headers, ...sign(request, signer) }, body }
}

// OAuth: a callback with a bug, and metadata in three wrong places.
const bearer = (resource, changes) => ({ headers: { authorization: `Bearer ${issuer.token(resource, changes)}` } })
const oauth = (name, options) =>
  requireOAuthBearer({ resource: `${base}/${name}`, issuer: issuer.url, audit, ...options })
app.get('/oauth', oauth('oauth'), handler)
const isRevoked = (principal) => principal.claims.nothing.here
app.get('/bug', oauth('bug', { isRevoked }), handler)
const misplaced = oauth('misplaced')
app.use('/below', misplaced.metadata(), misplaced)
const unmounted = oauth('unmounted')
unmounted.metadata()
app.get('/unmounted', unmounted, handler)
const behind = oauth('behind')
const other = await serve(express().use(behind, behind.metadata()))

// MCP: a middleware that moves a credential into the field that the gate reads.
const credentials = createMcpCredentials({ audit })
const issued = await credentials.issue({ threadId: 't1', providerInstanceId: 'p1', capabilities: ['preview'] })
const agent = { authorization: issued.authorizationHeader }
const tools = { 'preview_*': 'preview', 'files_*': 'files:write' }
app.post('/mcp', requireMcpCredential({ credentials, audit, tools }), handler)
const rewrite = (request, _response, next) => {
  request.headers.authorization = request.headers['x-agent']
  next()
}
app.get('/mcp/moved', rewrite, requireMcpCredential({ credentials, audit }), handler)

// Settings: routes elsewhere than baseUrl says, behind their gate, and behind what takes the body away.
const registry = (path, options) => createSettingsSessions({ baseUrl: `${base}/${path}`, audit, ...options })
const settings = registry('settings')
app.use('/settings', settings.routes(), requireSettingsSession({ settings, audit }), handler)
app.use('/elsewhere', registry('where-links-lead').routes())
const closed = registry('closed')
app.use('/closed', requireSettingsSession({ settings: closed, audit }), closed.routes())
const swallow = async (request, _response, next) => {
  for await (const _chunk of request);
  next()
}
app.use('/swallowed', swallow, registry('swallowed').routes())

await many(503, '/hmac', () => signed('/hmac'))
isDown = false
await many(500, '/hmac/parsed', () => signed('/hmac/parsed'))
await many(500, '/bug', () => bearer(`${base}/bug`))
const now = Math.floor(Date.now() / 1000)
for (const changes of [
  { claims: { aud: 'https://other.example.com' } },
  { claims: { iss: `${issuer.url}/` } },
  { header: { alg: 'HS256' } },
  { header: { typ: 'JWT' } },
  { claims: { iat: now - 200, exp: now - 100 } },
]) {
  await many(401, '/oauth', () => bearer(`${base}/oauth`, changes))
}
await many(401, '/below')
await many(401, '/unmounted')
await many(401, `${other.base}/.well-known/oauth-protected-resource/behind`)
await many(500, '/mcp/moved', () => ({ headers: { 'x-agent': agent.authorization } }))
await many(404, '/elsewhere/page')
await many(401, '/closed/open')
const form = { method: 'POST', headers: { origin: base, 'content-type': FORM }, body: 'token=any' }
await many(401, '/swallowed/open', () => form)

// One refused request for each gate, and what its event says.
const diagnosed = {}
async function diagnose(gate, status, url, init) {
  events.length = 0
  assert.equal(await ask(url, init), status, gate)
  const refusals = events.filter(({ type }) => type === 'access.denied')
  assert.equal(refusals.length, 1, gate)
  diagnosed[gate] = [refusals[0].gate, refusals[0].reason, { ...refusals[0].attributes }]
}
await diagnose('hmac', 401, '/hmac', signed('/hmac', Date.now() - 400_000))
await diagnose('oauth-bearer', 401, '/oauth', bearer('https://other.example.com'))
const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'files_save' } }
await diagnose('mcp-credential', 403, '/mcp', {
  method: 'POST',
  headers: { ...agent, 'content-type': 'application/json' },
  body: JSON.stringify(call),
})
const cookie = await openLink(settings)
const opened = events.find(({ type }) => type === 'settings.session.opened')
const [name] = cookie.split('=')
await diagnose('settings-session', 401, '/settings', { headers: { cookie: `${name}=a; ${name}=b` } })

// The outage is over with the first grant that comes some time after the last refusal.
const recovered = new Promise((resolve) => {
  process.on('warning', ({ code }) => code === 'COUNTERSIGN_DEPENDENCY_RECOVERED' && resolve(true))
})
const turn = () => new Promise((resolve) => setImmediate(resolve, false))
do assert.equal(await ask('/hmac', signed('/hmac')), 200)
while (!(await Promise.race([recovered, turn()])))
await many(200, '/hmac', () => signed('/hmac'))

console.log(JSON.stringify({ base, issuer: issuer.url, diagnosed, client: opened.http.clientAddress, sent: [...sent] }))
await Promise.all([close(), other.close(), issuer.close(), credentials.close()])
