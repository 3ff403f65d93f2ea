import { createHash, randomUUID } from 'node:crypto'
import { sign } from '@countersign/hmac'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { KEY_FIELD } from '../usual.js'
import { type Row, row, type Side } from './row.js'
import type { World } from './world.js'

/** A request of an OAuth client. */
interface Call {
  readonly url: string
  readonly method?: string | undefined
  readonly headers: Record<string, string>
}

const READ = 'files:read'

const resourceOf = ({ baseUrl }: World) => `${baseUrl}/api`

async function call(world: World, { path = '/api/files', method = 'GET', scope = READ } = {}): Promise<Call> {
  const token = await world.authorizationServer.accessToken(resourceOf(world), scope)
  return { url: `${world.baseUrl}${path}`, method, headers: { Authorization: `Bearer ${token}` } }
}

const once = ({ send }: Side, { url, method, headers }: Call) => send(url, { method, headers })

/** The token with another payload under the signature of the first. */
function widen(token: string): string {
  const [header, payload = '', signature] = token.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
  const wider = Buffer.from(JSON.stringify({ ...claims, scope: 'files:read files:write' })).toString('base64url')
  return [header, wider, signature].join('.')
}

/** A client that proves its key (RFC 9449). */
async function proofs() {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const jwk = await exportJWK(publicKey)
  return (htm: string, htu: string, token?: string) => proof(privateKey, jwk, htm, htu, token)
}

function proof(key: CryptoKey, jwk: JWK, htm: string, htu: string, token?: string): Promise<string> {
  const ath = token === undefined ? {} : { ath: createHash('sha256').update(token).digest('base64url') }
  return new SignJWT({ htm, htu, jti: randomUUID(), ...ath })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
    .setIssuedAt()
    .sign(key)
}

/** An OAuth client: `requireOAuthBearer` beside express-oauth2-jwt-bearer. */
export const clientRows: readonly Row[] = [
  row({
    id: 'client-valid',
    kind: 'valid',
    title: 'A token for this API',
    story: 'GET /api/files with an access token of the authorization server.',
    ours: { outcome: 'let in', status: 200, reason: 'granted', why: 'Issuer, audience, type and times are right.' },
    usual: { outcome: 'let in', status: 200, why: 'Issuer, audience and times are right.' },
    prepare: (world) => call(world),
    play: once,
  }),
  row({
    id: 'client-audience',
    kind: 'attack',
    title: 'A token for another audience',
    story: 'Another API got this token from a client, and passes it on.',
    ours: {
      outcome: 'refused',
      status: 401,
      reason: 'wrong_audience',
      why: 'The token is for another API. The event names both.',
    },
    usual: { outcome: 'refused', status: 401, why: 'It compares the audience, too, and tells the caller the claim.' },
    prepare: async ({ baseUrl, authorizationServer }) => {
      const token = await authorizationServer.accessToken('https://other.example.com/api', READ)
      return { url: `${baseUrl}/api/files`, headers: { Authorization: `Bearer ${token}` } }
    },
    play: once,
  }),
  row({
    id: 'client-keys-down',
    kind: 'outage',
    title: 'JWKS down',
    story: 'The process has just started, and the issuer’s keys cannot be fetched. The token is good.',
    ours: {
      outcome: 'unavailable',
      status: 503,
      reason: 'keys',
      why: 'Nobody can say whether the token is good: the client keeps it and comes back.',
    },
    usual: {
      outcome: 'refused',
      status: 401,
      why: 'It calls a good token invalid. Clients throw it away, and all of them sign in again at once.',
    },
    prepare: async (world) => ({ call: await call(world), cutKeys: world.authorizationServer.cutKeys }),
    play: async (side, prepared) => {
      side.forgetKeys()
      prepared.cutKeys(true)
      try {
        return await once(side, prepared.call)
      } finally {
        prepared.cutKeys(false)
        side.forgetKeys()
      }
    },
  }),
  row({
    id: 'client-replay',
    kind: 'attack',
    title: 'Replay of a proof',
    story: 'The token is bound to the client’s key (DPoP). A captured request is sent again with its proof.',
    ours: { outcome: 'refused', status: 401, reason: 'replayed', why: 'A proof is accepted once.' },
    usual: { outcome: 'let in', status: 200, why: 'It verifies the proof, and does not remember it.' },
    prepare: async (world) => {
      const prove = await proofs()
      const resource = resourceOf(world)
      const token = await world.authorizationServer.accessToken(resource, READ, (url) => prove('POST', url))
      const url = `${world.baseUrl}/api/files`
      return { url, headers: { Authorization: `DPoP ${token}`, DPoP: await prove('GET', url, token) } }
    },
    play: async (side, captured) => {
      await (await once(side, captured)).arrayBuffer()
      return once(side, captured)
    },
  }),
  row({
    id: 'client-query',
    kind: 'attack',
    title: 'A token in the URL',
    story: 'GET /api/files?access_token=…, as logs and histories keep it.',
    ours: {
      outcome: 'refused',
      status: 400,
      reason: 'ambiguous',
      why: 'A token belongs in the Authorization field alone (OAuth 2.1). The answer says so.',
    },
    usual: {
      outcome: 'let in',
      status: 200,
      why: 'It also reads the query and the body: who has the URL has the token.',
    },
    prepare: async (world) => {
      const { url, headers } = await call(world)
      const token = headers.Authorization?.slice('Bearer '.length)
      return { url: `${url}?access_token=${token}`, headers: {} }
    },
    play: once,
  }),
  row({
    id: 'client-id-token',
    kind: 'attack',
    title: 'An ID token',
    story: 'A token about who signed in, of the same issuer, with this API as its audience.',
    ours: { outcome: 'refused', status: 401, reason: 'wrong_type', why: 'It is not of the type at+jwt (RFC 9068).' },
    usual: { outcome: 'let in', status: 200, why: 'The type is not checked unless it is told to be strict.' },
    prepare: async (world) => {
      const token = await world.authorizationServer.idToken(resourceOf(world))
      return { url: `${world.baseUrl}/api/files`, headers: { Authorization: `Bearer ${token}` } }
    },
    play: once,
  }),
  row({
    id: 'client-scope',
    kind: 'attack',
    title: 'Beyond its scope',
    story: 'DELETE /api/files/a.txt with a token that may read.',
    ours: {
      outcome: 'refused',
      status: 403,
      reason: 'insufficient_scope',
      why: 'The challenge names the scope that would be enough.',
    },
    usual: { outcome: 'refused', status: 403, why: 'It checks scopes, too, and names the one that is needed.' },
    prepare: (world) => call(world, { path: '/api/files/a.txt', method: 'DELETE' }),
    play: once,
  }),
  row({
    id: 'client-tampered',
    kind: 'attack',
    title: 'Tampered token',
    story: 'A scope was written into the token by hand.',
    ours: { outcome: 'refused', status: 401, reason: 'bad_signature', why: 'The signature is of another token.' },
    usual: { outcome: 'refused', status: 401, why: 'It verifies the signature, too.' },
    prepare: async (world) => {
      const { headers, ...rest } = await call(world)
      return { ...rest, headers: { Authorization: widen(headers.Authorization ?? '') } }
    },
    play: once,
  }),
  row({
    id: 'client-two',
    kind: 'attack',
    title: 'Two credentials',
    story: 'A route for two kinds of callers gets a good token, and beside it a forged signature and key.',
    ours: {
      outcome: 'refused',
      status: 400,
      reason: 'ambiguous',
      why: 'What is presented is decided: nothing falls back to another credential.',
    },
    usual: {
      outcome: 'let in',
      status: 200,
      why: 'The first way in that works is taken; the forgery is not even seen.',
    },
    prepare: async (world) => {
      const { headers, ...rest } = await call(world, { path: '/shared/status' })
      const { caller, audience } = world.demo.scheduler
      const forged = sign(
        { method: 'GET', url: rest.url },
        { caller, version: 1, secret: 'a-guess-that-is-as-long-as-a-secret-has-to-be', audience },
      )
      return { ...rest, headers: { ...headers, ...forged, [KEY_FIELD]: 'forged' } }
    },
    play: once,
  }),
]
