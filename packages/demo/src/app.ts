import { randomBytes, randomUUID } from 'node:crypto'
import type { Audit } from '@countersign/audit'
import { firstPresented, principalOf } from '@countersign/core'
import { memorySecrets, requireHmac } from '@countersign/hmac'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { createSettingsSessions, requireSettingsSession } from '@countersign/settings-session'
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import helmet from 'helmet'
import {
  deleteFile,
  deleteSchedule,
  listFiles,
  reached,
  runExecution,
  settingsPage,
  showStatus,
  threadStream,
} from './handlers.js'
import { mcpEndpoint } from './mcp-tools.js'
import type { State } from './state.js'

/** The path of the links, and of the settings that they open. */
export const SETTINGS_PATH = '/settings'

/** What the demo's app is made of. */
export interface DemoSetup {
  readonly baseUrl: string
  readonly issuer: string
  readonly state: State
  readonly audit: Audit
}

/** The app, and what its callers are played with. */
export interface Demo {
  readonly app: Express
  readonly scheduler: { readonly caller: string; readonly secret: string; readonly audience: string }
  readonly credentials: ReturnType<typeof createMcpCredentials>
  readonly settings: ReturnType<typeof createSettingsSessions>
  /** As after a restart of the process: no key of the issuer is known. */
  forgetKeys(): void
  /** Sends a message on the open streams of agents. */
  say(text: string): void
  close(): Promise<void>
}

/** One Express app with all four gates. */
export function createDemo({ baseUrl, issuer, state, audit }: DemoSetup): Demo {
  const audience = new URL(baseUrl).host
  const scheduler = { caller: 'scheduler', secret: randomBytes(32).toString('base64url'), audience }
  const secrets = memorySecrets([{ caller: scheduler.caller, version: 1, secret: scheduler.secret }])
  const credentials = createMcpCredentials({ store: state.credentials, audit })
  const settings = createSettingsSessions({
    baseUrl: `${baseUrl}${SETTINGS_PATH}`,
    store: state.sessions,
    confirmCode: true,
    audit,
  })

  const hmac = requireHmac({ secrets, audience, replay: state.replay, audit })
  const dpop = { mode: 'accepted', replay: state.replay } as const
  const makeOAuth = () => {
    const gate = requireOAuthBearer({ resource: `${baseUrl}/api`, issuer, dpop, audit })
    return { gate, metadata: gate.metadata(), toWrite: gate.scopes('files:write'), orHmac: firstPresented(hmac, gate) }
  }
  let oauth = makeOAuth()
  /** What is asked for at each request: the gate may be another one meanwhile. */
  const current =
    (name: keyof typeof oauth): RequestHandler =>
    (request, response, next) =>
      oauth[name](request, response, next)
  const oauthForTools = requireOAuthBearer({ resource: `${baseUrl}/mcp`, issuer, audit })
  const mcp = requireMcpCredential({ credentials, tools: { 'preview_*': 'preview', 'page_*': 'pages' }, audit })
  const mcpStream = requireMcpCredential({ credentials, audit })
  const person = requireSettingsSession({ settings, audit })

  const app = express()
  app.use(helmet())
  app.use(numbered)
  app.use(current('metadata'), oauthForTools.metadata())

  // Another service.
  app.post('/internal/executions', hmac, reached, express.json(), runExecution)
  app.delete('/internal/schedules/nightly', hmac, reached, deleteSchedule)

  // An OAuth client.
  app.get('/api/files', current('gate'), reached, listFiles)
  app.delete('/api/files/:name', current('toWrite'), reached, deleteFile)

  // An agent session that this app started; on /mcp an OAuth client may come as well.
  const tools = mcpEndpoint()
  const stream = threadStream()
  app.all('/agent/mcp', express.json(), mcp, reached, tools)
  app.get('/agent/events', mcpStream, reached, stream.handler)
  app.all('/mcp', express.json(), firstPresented(mcp, oauthForTools), reached, tools)

  // A route for either of two callers.
  app.get('/shared/status', current('orHmac'), reached, showStatus)

  // A person who got a link in the chat.
  app.use(SETTINGS_PATH, settings.routes())
  app.use(SETTINGS_PATH, person, reached, (request, response) => {
    const { userId, platform } = principalOf(request, 'settings-session')
    response.type('html').send(settingsPage(`${userId} on ${platform}`))
  })
  app.use(failed)

  return {
    app,
    scheduler,
    credentials,
    settings,
    forgetKeys: () => {
      oauth = makeOAuth()
    },
    say: stream.say,
    close: () => credentials.close(),
  }
}

/** Gives each request an id, so that an answer and the event about it find each other. */
const numbered: RequestHandler = (request, response, next) => {
  const id = randomUUID()
  Object.assign(request, { id })
  response.setHeader('X-Request-Id', id)
  next()
}

/** What no handler expected is told without a stack. */
const failed: ErrorRequestHandler = (_error, _request, response, next) => {
  if (response.headersSent) return next()
  response.status(500).json({ error: 'internal_error' })
}
