const { principalOf } = require('@countersign/core')
const { requireHmac, secretsFromEnv } = require('@countersign/hmac')
const { createMcpCredentials, requireMcpCredential } = require('@countersign/mcp-credential')
const { requireOAuthBearer } = require('@countersign/oauth-bearer')
const { createSettingsSessions, requireSettingsSession } = require('@countersign/settings-session')
const express = require('express')

const secrets = secretsFromEnv(process.env, { callers: ['scheduler'] })
const oauth = requireOAuthBearer({ resource: 'http://localhost:3000/reports', issuer: 'http://localhost:4000' })
const credentials = createMcpCredentials()
const settings = createSettingsSessions({ baseUrl: 'http://localhost:3000/settings' })

/** Express 4 does not hear of a promise that rejects: hand the error on. */
const asynchronous = (handler) => (request, response, next) => handler(request, response).catch(next)

const app = express()
app.use(oauth.metadata())

// Another service.
app.use('/internal', requireHmac({ secrets, audience: 'app.example.com' }), express.json())
app.post('/internal/executions', (request, response) => {
  response.json({ startedBy: principalOf(request, 'hmac').caller, job: request.body.job })
})
app.post(
  '/internal/agents',
  asynchronous(async (request, response) => {
    const { threadId } = request.body
    const issued = await credentials.issue({ threadId, providerInstanceId: 'agent-1', capabilities: [] })
    response.json({ authorization: issued.authorizationHeader })
  }),
)
app.post(
  '/internal/links',
  asynchronous(async (request, response) => {
    const link = await settings.issueLink({ platform: 'web', userId: request.body.userId })
    await settings.deliver(link, (url) => response.json({ url: url.reveal('deliver-to-user') }))
  }),
)

// An OAuth client.
app.get('/reports', oauth, (request, response) => {
  response.json({ for: principalOf(request, 'oauth-bearer').clientId })
})

// An agent that this app started.
app.get('/agents/thread', requireMcpCredential({ credentials }), (request, response) => {
  response.json({ thread: principalOf(request, 'mcp-credential').threadId })
})

// A person who opened a link.
app.use('/settings', settings.routes())
app.get('/settings', requireSettingsSession({ settings }), (request, response) => {
  response.json({ settingsOf: principalOf(request, 'settings-session').userId })
})

app.listen(3000).on('listening', () => console.log('app: http://localhost:3000'))
