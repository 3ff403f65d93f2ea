// An app with gates, and the console of it at /console. Start it with `npm start`, and open the link that it prints.
import { randomBytes } from 'node:crypto'
import { principalOf } from '@countersign/core'
import { memorySecrets, requireHmac } from '@countersign/hmac'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { createSettingsSessions, requireSettingsSession } from '@countersign/settings-session'
import express from 'express'
import { createConsole } from './console.js'

const { PORT = '3000', ISSUER, OLD_KEY = randomBytes(16).toString('hex') } = process.env
const origin = `http://localhost:${PORT}`

// What the console shows: another service that moves from an old key to signatures, agents, people, and OAuth clients.
const secret = randomBytes(32).toString('base64url')
const secrets = memorySecrets([{ caller: 'reports', version: 1, secret }])
const legacy = { headers: ['x-service-key'], keys: { reports: [OLD_KEY] } }
const hmac = requireHmac({ secrets, audience: `localhost:${PORT}`, legacy })
const credentials = createMcpCredentials()
const mcp = requireMcpCredential({ credentials })
const settings = createSettingsSessions({ baseUrl: `${origin}/settings` })

const app = express()
app.get('/internal/status', hmac, (_request, response) => response.json({ status: 'ok' }))
app.get('/agent/status', mcp, (_request, response) => response.json({ status: 'ok' }))
app.use('/settings', settings.routes(), requireSettingsSession({ settings }), (_request, response) => {
  response.type('html').send('<!doctype html><title>Settings</title><p>The settings.</p>')
})
if (ISSUER !== undefined) {
  const oauth = requireOAuthBearer({ resource: `${origin}/api`, issuer: ISSUER })
  app.use(oauth.metadata())
  app.get('/api/status', oauth, (_request, response) => response.json({ status: 'ok' }))
}

// Who may open the console: any gate will do. Here it is a link and its digits, with a cookie and a kind of session of its own:
// where both registries have one store, in Redis say, a person's session must not open this.
const operators = createSettingsSessions({
  baseUrl: `${origin}/console`,
  cookieName: 'console',
  sessionTtlSeconds: 8 * 3600,
  confirmCode: true,
  kinds: { console: () => undefined },
})
app.use('/console', operators.routes())
app.use(
  '/console',
  requireSettingsSession({ settings: operators, kinds: ['console'] }),
  createConsole({
    operator: (request) => principalOf(request, 'settings-session').id,
    signOut: '/console/logout',
    legacy: { '/internal': hmac },
    credentials,
    settings,
    secrets,
    issuers: ISSUER === undefined ? [] : [ISSUER],
  }),
)
app.listen(Number(PORT))

const link = await operators.issueLink({ kind: 'console', platform: 'ops', userId: process.env.USER ?? 'operator' })
await operators.deliver(link, (url, code) => {
  process.stdout.write(`The console: ${url.reveal('deliver-to-user')}\nThe page asks for: ${code}\n\n`)
})
const agent = await credentials.issue({ threadId: 'thread-1', providerInstanceId: 'claude' })
const person = await settings.issueLink({ platform: 'web', userId: 'u1' })
await settings.deliver(person, (url) => {
  process.stdout.write(`To see something there:
curl -H 'x-service-key: ${OLD_KEY}' ${origin}/internal/status
curl -H 'authorization: ${agent.authorizationHeader}' ${origin}/agent/status
and in another browser ${url.reveal('deliver-to-user')}
`)
})
