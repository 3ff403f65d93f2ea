// What a route's path says of its parameters is kept behind a gate, and behind every other middleware. Compiled, not run.
import { firstPresented } from '@countersign/core'
import { memorySecrets, requireHmac } from '@countersign/hmac'
import { createMcpCredentials, discoveryGuard, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import {
  createSettingsSessions,
  leakGuard,
  memorySessions,
  requireSettingsSession,
} from '@countersign/settings-session'
import express, { type Request, type RequestHandler, type Response, Router } from 'express'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
/** Compiles only if `value` is exactly a string. */
const isString = <T>(_value: T, _proof: Same<T, string>): void => {}

interface Answer {
  readonly id: string
}

const hmac = requireHmac({ secrets: memorySecrets([]), audience: 'app.example.com' })
const oauth = requireOAuthBearer({ resource: 'https://app.example.com', issuer: 'https://auth.example.com' })
const mcp = requireMcpCredential({ credentials: createMcpCredentials() })
const settings = createSettingsSessions({ store: memorySessions(), baseUrl: 'https://app.example.com/settings' })
const person = requireSettingsSession({ settings })
const app = express()
const router = Router()

app.get('/one/:id', hmac, (request) => isString(request.params.id, true))
app.post('/two/:id', oauth.scopes('files:read'), express.json(), (request) => isString(request.params.id, true))
app.put('/three/:id/of/:list', firstPresented(hmac, oauth).optional(), hmac, (request) => {
  isString(request.params.id, true)
  isString(request.params.list, true)
})
router.delete('/four/:id', hmac, (request: Request<{ id: string }>) => isString(request.params.id, true))
router.route('/five/:id').patch(hmac, oauth, (request) => isString(request.params.id, true))
app.get('/six/:id', hmac, (request: Request<{ id: string }, Answer>, response: Response<Answer>) => {
  response.json({ id: request.params.id })
})
app.get('/seven/:id', mcp, (request) => isString(request.params.id, true))
app.get('/eight/:id', person, (request) => isString(request.params.id, true))
app.get('/nine/:id', leakGuard(), (request) => isString(request.params.id, true))
app.get('/ten/:id', discoveryGuard(), (request) => isString(request.params.id, true))
app.get('/eleven/:id', oauth.metadata(), settings.routes(), (request) => isString(request.params.id, true))
router
  .route('/twelve/:id')
  .all(leakGuard(), discoveryGuard(), mcp)
  .get((request) => isString(request.params.id, true))
app.use(hmac)
app.use('/thirteen', hmac, oauth)
app.use([hmac, oauth])
app.use(leakGuard(), discoveryGuard(), oauth.metadata())
app.use('/settings', settings.routes(), person)
export const handlers: RequestHandler[] = [
  hmac,
  oauth,
  oauth.optional(),
  leakGuard(),
  discoveryGuard(),
  oauth.metadata(),
]
