import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import { auth, requiredScopes } from 'express-oauth2-jwt-bearer'
import { getIronSession, sealData, unsealData } from 'iron-session'
import passport from 'passport'
import { Strategy as BearerStrategy } from 'passport-http-bearer'
import { SETTINGS_PATH } from './app.js'
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

/** The header field of the shared key. */
export const KEY_FIELD = 'X-Internal-Key'

/** The app with what is usually put in the places of the gates: the same routes, the same handlers behind them. */
export interface Usual {
  readonly app: Express
  readonly sharedKey: string
  /** Lets the holder of a token in as an agent of this thread. */
  issue(threadId: string, token: string): void
  revokeThread(threadId: string): void
  /** What a link carries: who the person is, sealed. */
  seal(userId: string): Promise<string>
  /** As after a restart of the process: no key of the issuer is known. */
  forgetKeys(): void
  /** Sends a message on the open streams of agents. */
  say(text: string): void
}

const digest = (text: string) => createHash('sha256').update(text).digest()

/** The usual choices, each as its documentation shows it. */
export function createUsual({ baseUrl, issuer }: { readonly baseUrl: string; readonly issuer: string }): Usual {
  const sharedKey = randomBytes(32).toString('base64url')
  const app = express()

  // Another service: one shared key, compared in constant time.
  const holdsKey = (given: string) => timingSafeEqual(digest(given), digest(sharedKey))
  const byKey: RequestHandler = (request, response, next) => {
    if (holdsKey(request.get(KEY_FIELD) ?? '')) next()
    else response.status(401).json({ error: 'unauthorized' })
  }
  app.post('/internal/executions', byKey, reached, express.json(), runExecution)
  app.delete('/internal/schedules/nightly', byKey, reached, deleteSchedule)

  // An OAuth client: express-oauth2-jwt-bearer.
  const makeBearer = () => auth({ issuerBaseURL: issuer, audience: `${baseUrl}/api`, tokenSigningAlg: 'RS256' })
  let bearer = makeBearer()
  const byBearer: RequestHandler = (request, response, next) => bearer(request, response, next)
  app.get('/api/files', byBearer, reached, listFiles)
  app.delete('/api/files/:name', byBearer, requiredScopes('files:write'), reached, deleteFile)

  // An agent: passport-http-bearer over a table of tokens.
  const threads = new Map<string, string>()
  const strategy = new BearerStrategy((token, done) => {
    const threadId = threads.get(digest(token).toString('hex'))
    done(null, threadId === undefined ? false : { threadId })
  })
  const byToken = new passport.Passport().use(strategy).authenticate('bearer', { session: false }) as RequestHandler
  const stream = threadStream()
  app.all('/agent/mcp', express.json(), byToken, reached, mcpEndpoint())
  app.get('/agent/events', byToken, reached, stream.handler)

  // A route for either of two callers: the key is tried first, then the token.
  const byEither: RequestHandler = (request, response, next) => {
    if (holdsKey(request.get(KEY_FIELD) ?? '')) next()
    else byBearer(request, response, next)
  }
  app.get('/shared/status', byEither, reached, showStatus)

  // A person: who it is stands in the link, encrypted by iron-session's seal; then in its cookie.
  const password = randomBytes(32).toString('base64url')
  const session = { cookieName: 'usual-session', password, ttl: 600, cookieOptions: { secure: false } }
  app.get(SETTINGS_PATH, async (request, response, next) => {
    const { seal } = request.query
    const current = await getIronSession<{ userId?: string }>(request, response, session)
    if (typeof seal === 'string') {
      const { userId } = await unsealData<{ userId?: string }>(seal, { password, ttl: 600 })
      if (userId !== undefined) {
        current.userId = userId
        await current.save()
      }
    }
    if (current.userId === undefined) return void response.status(401).send('Ask for a new link')
    reached(request, response, next)
  })
  app.get(SETTINGS_PATH, async (request, response) => {
    const { userId } = await getIronSession<{ userId?: string }>(request, response, session)
    response.type('html').send(settingsPage(String(userId)))
  })
  app.post(`${SETTINGS_PATH}/logout`, async (request, response) => {
    const current = await getIronSession(request, response, session)
    current.destroy()
    response.redirect(303, '/')
  })
  app.use(failed)

  return {
    app,
    sharedKey,
    issue: (threadId, token) => void threads.set(digest(token).toString('hex'), threadId),
    revokeThread: (threadId) => {
      for (const [token, thread] of threads) if (thread === threadId) threads.delete(token)
    },
    seal: (userId) => sealData({ userId }, { password, ttl: 600 }),
    forgetKeys: () => {
      bearer = makeBearer()
    },
    say: stream.say,
  }
}

/** As the documentation of express-oauth2-jwt-bearer shows it. */
const failed: ErrorRequestHandler = (error, _request, response, next) => {
  if (response.headersSent) return next()
  const {
    status = 500,
    headers = {},
    message,
  } = error as {
    status?: number
    headers?: Record<string, string>
    message: string
  }
  response.status(status).set(headers).json({ message })
}
