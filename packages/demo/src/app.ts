import { randomBytes } from 'node:crypto'
import type { Audit } from '@countersign/audit'
import { firstPresented, principalOf } from '@countersign/core'
import { memorySecrets, requireHmac, xHeaders } from '@countersign/hmac'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { createSettingsSessions, requireSettingsSession } from '@countersign/settings-session'
import express, { type Express } from 'express'
import helmet from 'helmet'
import { createLiveView } from './live-view.js'
import { mcpEndpoint } from './mcp-tools.js'
import type { State } from './state.js'

/** What the demo's app is made of. */
export interface DemoSetup {
  readonly baseUrl: string
  readonly issuer: string
  readonly state: State
  readonly audit: Audit
}

/** The app, and what the scripted run plays its callers with. */
export interface Demo {
  readonly app: Express
  readonly scheduler: { readonly caller: string; readonly secret: string; readonly audience: string }
  readonly credentials: ReturnType<typeof createMcpCredentials>
  readonly settings: ReturnType<typeof createSettingsSessions>
  close(): void
}

/** One Express app with all four gates. */
export function createDemo({ baseUrl, issuer, state, audit }: DemoSetup): Demo {
  const scheduler = {
    caller: 'scheduler',
    secret: randomBytes(32).toString('base64url'),
    audience: new URL(baseUrl).host,
  }
  const secrets = memorySecrets([{ caller: scheduler.caller, version: 1, secret: scheduler.secret }])
  const credentials = createMcpCredentials({ store: state.credentials, audit })
  const settings = createSettingsSessions({ baseUrl: `${baseUrl}/settings`, store: state.sessions, audit })
  const live = createLiveView(audit)

  const hmac = requireHmac({
    secrets,
    audience: scheduler.audience,
    formats: [xHeaders()],
    replay: state.replay,
    audit,
  })
  const oauthOptions = { resource: `${baseUrl}/api`, issuer, audit }
  const oauth = requireOAuthBearer(oauthOptions)
  const cold = requireOAuthBearer(oauthOptions)
  const oauthForTools = requireOAuthBearer({ ...oauthOptions, resource: `${baseUrl}/mcp` })
  const mcp = requireMcpCredential({ credentials, tools: { 'preview_*': 'preview' }, audit })
  const person = requireSettingsSession({ settings, audit })

  const app = express()
  app.use(helmet())
  app.use(live.routes)
  app.use(oauth.metadata(), oauthForTools.metadata())

  // Another service.
  app.post('/internal/executions', hmac, express.json(), (request, response) => {
    response.json({ accepted: request.body, from: principalOf(request, 'hmac').caller })
  })
  app.all('/internal/schedules', hmac, (_request, response) => {
    response.json({ schedules: [] })
  })

  // An OAuth client. The second gate has never seen a key.
  app.get('/api/files', oauth, (request, response) => {
    response.json({ files: ['a.txt'], for: principalOf(request, 'oauth-bearer').clientId })
  })
  app.delete('/api/files/:name', oauth.scopes('files:write'), (_request, response) => {
    response.status(204).end()
  })
  app.get('/api/cold', cold, (_request, response) => {
    response.json({ files: [] })
  })

  // An agent session that this app started; on /mcp an OAuth client may come as well.
  const tools = mcpEndpoint()
  app.all('/agent/mcp', express.json(), mcp, tools)
  app.all('/mcp', express.json(), firstPresented(mcp, oauthForTools), tools)

  // A router that takes either of two callers.
  const either = express.Router().use(firstPresented(hmac, oauth))
  either.get('/status', (request, response) => {
    response.json({ for: request.principal?.kind })
  })
  app.use('/shared', either)

  // A person who got a link in the chat. The agent that asks for it gets a receipt.
  app.post('/agent/settings-links', async (_request, response) => {
    const link = await settings.issueLink({ platform: 'demo', userId: 'you' })
    const receipt = await settings.deliver(link, (url) => live.say('Here you are:', url.reveal('deliver-to-user')))
    response.json(receipt)
  })
  app.use('/settings', settings.routes())
  app.use('/settings', person, (request, response) => {
    const { userId, platform } = principalOf(request, 'settings-session')
    response.type('html').send(settingsPage(`${userId} on ${platform}`))
  })

  return { app, scheduler, credentials, settings, close: () => live.close() }
}

const settingsPage = (who: string) => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Settings</title></head>
<body><main><h1>Settings</h1><p>Signed in: ${who}.</p>
<form method="post" action="/settings/logout"><button>Sign out</button></form></main></body></html>
`
