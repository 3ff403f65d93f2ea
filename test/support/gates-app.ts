import type { Audit } from '@countersign/core'
import { memorySecrets, requireHmac, sign, xHeaders } from '@countersign/hmac'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { type RedisClient, redisReplay } from '@countersign/redis'
import { createSettingsSessions, requireSettingsSession } from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import express, { type Express } from 'express'
import helmet from 'helmet'

const AUDIENCE = 'app.example.com'
const SECRET = 'a-secret-of-the-tests-that-is-long-enough'

export interface GatesApp {
  readonly app: Express
  readonly credentials: ReturnType<typeof createMcpCredentials>
  readonly settings: ReturnType<typeof createSettingsSessions>
}

export interface GatesAppSetup {
  readonly redis: RedisClient
  readonly baseUrl: string
  readonly audit?: Audit
  /** The stores' deadline. Default: theirs. */
  readonly commandTimeoutMs?: number
}

/** The three gates that keep state, all on one Redis; the routes under /host are what the app itself would do. */
export function createGatesApp({ redis, baseUrl, audit, commandTimeoutMs }: GatesAppSetup): GatesApp {
  const options = { commandTimeoutMs }
  const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }])
  const credentials = createMcpCredentials({ store: redisCredentials(redis, options), audit })
  const settings = createSettingsSessions({
    baseUrl: `${baseUrl}/settings`,
    store: redisSessions(redis, options),
    audit,
  })

  const app = express()
  app.use(helmet())
  const replay = redisReplay(redis, options)
  const hmac = requireHmac({ secrets, audience: AUDIENCE, formats: [xHeaders()], replay, audit })
  app.post('/internal', hmac, (_request, response) => {
    response.json({ ok: true })
  })
  app.get('/agent', requireMcpCredential({ credentials, audit }), (_request, response) => {
    response.json({ ok: true })
  })
  app.post('/host/credentials', async (_request, response) => {
    const issued = await credentials.issue({ threadId: 't1', providerInstanceId: 'p1', capabilities: [] })
    response.json({ id: issued.credentialId, authorization: issued.authorizationHeader })
  })
  app.delete('/host/credentials/:id', async (request, response) => {
    await credentials.revoke(request.params.id)
    response.status(204).end()
  })
  app.delete('/host/threads/:id', async (request, response) => {
    await credentials.revokeThread(request.params.id)
    response.status(204).end()
  })
  app.use('/settings', settings.routes())
  app.use('/settings', requireSettingsSession({ settings, audit }), (_request, response) => {
    response.send('the settings')
  })
  return { app, credentials, settings }
}

/** The headers of a signed `POST /internal`; each body gives another signature. */
export function signInternal(baseUrl: string, body: string): Record<string, string> {
  const request = { method: 'POST', url: `${baseUrl}/internal`, headers: {}, body: Buffer.from(body) }
  return sign(request, { caller: 'scheduler', secret: SECRET, audience: AUDIENCE, format: xHeaders() })
}
