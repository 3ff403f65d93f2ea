import { type KeyObject, randomUUID } from 'node:crypto'
import { type RequireOAuthBearerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'
import { redisKeyCache } from '@countersign/oauth-bearer/redis'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import type { RequestHandler } from 'express'
import { expressjwt } from 'express-jwt'
import { auth } from 'express-oauth2-jwt-bearer'
import { createVerifier } from 'fast-jwt'
import { Redis } from 'ioredis'
import { createRemoteJWKSet, exportJWK, exportSPKI, generateKeyPair, type JWK, jwtVerify, SignJWT } from 'jose'
import jwksRsa from 'jwks-rsa'
import { serve } from '../../support/http-server.js'
import { type Case, inTurn, neverSeen, type Setup, type Traffic } from '../case.js'
import { wire } from '../wire.js'
import { listeningAudit } from './listening.js'
import { startRedis } from './redis.js'
import { atSizes, counted } from './sizes.js'

export const RESOURCE = 'https://api.example.com/mcp'
export type Algorithm = 'RS256' | 'ES256' | 'EdDSA'

interface Issuer {
  readonly url: string
  /** The first one's. */
  readonly publicKey: KeyObject
  readonly algorithm: Algorithm
  /** A token that nobody has seen, signed with one of the keys. */
  token(claims?: Readonly<Record<string, unknown>>): Promise<string>
  close(): Promise<void>
}

async function makeKey(algorithm: Algorithm, kid: string) {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  const jwk: JWK = { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' }
  return { kid, privateKey, publicKey, jwk }
}

/** A real issuer on loopback; after the first decision nobody asks it again. */
export async function startIssuer(algorithm: Algorithm, kids = 1): Promise<Issuer> {
  const keys = await Promise.all(Array.from({ length: kids }, (_, index) => makeKey(algorithm, `key-${index}`)))
  const running = await serve((request, response) => {
    const metadata = { issuer: url, jwks_uri: `${url}/jwks`, response_types_supported: ['code'] }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(request.url === '/jwks' ? { keys: keys.map(({ jwk }) => jwk) } : metadata))
  })
  const { url } = running
  let turn = 0
  const token = (claims = {}) => {
    const { kid, privateKey } = keys[turn++ % kids] as (typeof keys)[number]
    return new SignJWT({ client_id: 'client-1', scope: 'files:read files:write', ...claims })
      .setProtectedHeader({ alg: algorithm, typ: 'at+jwt', kid })
      .setIssuer(url)
      .setAudience(RESOURCE)
      .setSubject('user-1')
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey)
  }
  return { url, publicKey: keys[0]?.publicKey as unknown as KeyObject, algorithm, token, close: running.close }
}

export const presentToken = (token: string) => wire('POST', '/mcp', { authorization: `Bearer ${token}` })

const newTokens = ({ token }: Issuer): (() => Traffic) => neverSeen(async () => presentToken(await token()))

interface Named {
  readonly name: string
  readonly isOurs: boolean
  readonly handler: RequestHandler
}

/** The gate with its cache of seen tokens. */
export function ourGate({ url }: Issuer, options: Partial<RequireOAuthBearerOptions> = {}): Named {
  const handler = requireOAuthBearer({ resource: RESOURCE, issuer: url, audit: listeningAudit(), ...options })
  return { name: 'requireOAuthBearer', isOurs: true, handler }
}

/** Those that fetch a key set and may find any number of keys in it. */
function setReaders({ url, algorithm }: Issuer): Named[] {
  const keys = createRemoteJWKSet(new URL(`${url}/jwks`))
  const verifyAccessToken = async (token: string) => {
    const { payload } = await jwtVerify(token, keys, {
      issuer: url,
      audience: RESOURCE,
      algorithms: [algorithm],
      typ: 'at+jwt',
    })
    const scopes = String(payload.scope).split(' ')
    const expiresAt = payload.exp ?? 0
    return { token, clientId: String(payload.client_id), scopes, expiresAt, resource: new URL(RESOURCE) }
  }
  return [
    {
      name: 'express-oauth2-jwt-bearer',
      isOurs: false,
      handler: auth({ jwksUri: `${url}/jwks`, issuer: url, audience: RESOURCE, tokenSigningAlg: algorithm }),
    },
    {
      name: 'MCP SDK over jose',
      isOurs: false,
      handler: requireBearerAuth({ verifier: { verifyAccessToken } }) as never,
    },
  ]
}

export function fastJwt(pem: string, { url, algorithm }: Issuer, cache: boolean | number): RequestHandler {
  const verify = createVerifier({ key: pem, cache, algorithms: [algorithm], allowedIss: url, allowedAud: RESOURCE })
  return (request, response, next) => {
    try {
      Object.assign(request, { auth: verify((request.headers.authorization ?? '').slice(7)) })
    } catch {
      response.status(401).end()
      return
    }
    next()
  }
}

/** jsonwebtoken, which it stands on, has no EdDSA. */
function expressJwt({ url, algorithm }: Issuer): Named[] {
  if (algorithm === 'EdDSA') return []
  const secret = jwksRsa.expressJwtSecret({ jwksUri: `${url}/jwks`, cache: true, rateLimit: true }) as never
  const options = { secret, algorithms: [algorithm], issuer: url, audience: RESOURCE }
  return [{ name: 'express-jwt, jwks-rsa', isOurs: false, handler: expressjwt(options) as RequestHandler }]
}

async function handlersOf(issuer: Issuer): Promise<Named[]> {
  const pem = await exportSPKI(issuer.publicKey as never)
  return [
    ourGate(issuer),
    ...setReaders(issuer),
    ...expressJwt(issuer),
    { name: 'fast-jwt', isOurs: false, handler: fastJwt(pem, issuer, false) },
    { name: 'fast-jwt, its cache', isOurs: false, handler: fastJwt(pem, issuer, true) },
  ]
}

function pattern(id: string, title: string, algorithm: Algorithm, distinct: 1 | 1000 | 'new'): Case {
  return {
    id,
    title,
    maxSlice: distinct === 'new' ? 100 : 4000,
    setup: async () => {
      const issuer = await startIssuer(algorithm)
      const seen = distinct === 'new' ? [] : await Promise.all(Array.from({ length: distinct }, () => issuer.token()))
      const traffic = distinct === 'new' ? newTokens(issuer) : () => inTurn(seen, presentToken)
      const variants = (await handlersOf(issuer)).map((one) => ({ ...one, ...traffic() }))
      return { variants, close: issuer.close }
    },
  }
}

export const oauthCases: readonly Case[] = (['RS256', 'ES256', 'EdDSA'] as const).flatMap((algorithm) => [
  pattern(`oauth-${algorithm.toLowerCase()}-one`, `OAuth ${algorithm}, one token again and again`, algorithm, 1),
  // What is found in a cache has no algorithm.
  ...(algorithm === 'RS256' ? [pattern('oauth-rs256-1000', 'OAuth RS256, 1000 tokens in turn', algorithm, 1000)] : []),
  pattern(`oauth-${algorithm.toLowerCase()}-new`, `OAuth ${algorithm}, tokens never seen before`, algorithm, 'new'),
])

/** express-jwt is not there: jwks-rsa holds five keys, and fetches ten times a minute. */
async function amongKids(kids: number): Promise<Setup> {
  const issuer = await startIssuer('ES256', kids)
  const traffic = newTokens(issuer)
  const variants = [ourGate(issuer), ...setReaders(issuer)].map((one) => ({ ...one, ...traffic() }))
  return { variants, close: issuer.close }
}

export const oauthGrowth: readonly Case[] = [
  {
    id: 'kids',
    title: 'Keys in the JWKS, tokens never seen before (ES256)',
    maxSlice: 100,
    setup: () => atSizes([1, 10, 100], counted('kid'), amongKids),
  },
]

/** The gate beside its Redis, which holds key sets and is not asked about a token. */
async function beside(): Promise<Setup> {
  const server = await startRedis()
  const redis = new Redis(server.url)
  const issuer = await startIssuer('ES256')
  const keyCache = redisKeyCache(redis, { secret: 'a-secret-of-the-benchmark-that-is-long-enough' })
  const tokens = await Promise.all(Array.from({ length: 1000 }, () => issuer.token()))
  const gate = ourGate(issuer, { keyCache })
  return {
    variants: [
      { ...gate, name: 'requireOAuthBearer, token seen before', ...inTurn(tokens, presentToken), redis: server.url },
      { ...gate, name: 'requireOAuthBearer, first seen', ...newTokens(issuer)(), redis: server.url },
    ],
    close: async () => {
      await issuer.close()
      redis.disconnect()
      await server.close()
    },
  }
}

export const oauthRedis: Case = { id: 'oauth-redis', title: 'OAuth, key sets in Redis', setup: beside }
