import { type KeyObject, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import type { RequestHandler } from 'express'
import { expressjwt } from 'express-jwt'
import { auth } from 'express-oauth2-jwt-bearer'
import { createVerifier } from 'fast-jwt'
import { createRemoteJWKSet, exportJWK, exportSPKI, generateKeyPair, type JWK, jwtVerify, SignJWT } from 'jose'
import jwksRsa from 'jwks-rsa'
import type { Case, Variant } from '../case.js'
import { wire } from '../wire.js'
import { listeningAudit } from './listening.js'

const RESOURCE = 'https://api.example.com/mcp'
type Algorithm = 'RS256' | 'ES256' | 'EdDSA'

interface Issuer {
  readonly url: string
  readonly publicKey: KeyObject
  readonly algorithm: Algorithm
  token(): Promise<string>
  close(): Promise<void>
}

/** A real issuer on loopback; after the first decision nobody asks it again. */
async function startIssuer(algorithm: Algorithm): Promise<Issuer> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  const jwk: JWK = { ...(await exportJWK(publicKey)), kid: 'key-1', alg: algorithm, use: 'sig' }
  const server: Server = createServer((request, response) => {
    const isKeys = request.url === '/jwks'
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(isKeys ? { keys: [jwk] } : metadata))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  const metadata = { issuer: url, jwks_uri: `${url}/jwks`, response_types_supported: ['code'] }
  const token = () =>
    new SignJWT({ client_id: 'client-1', scope: 'files:read files:write' })
      .setProtectedHeader({ alg: algorithm, typ: 'at+jwt', kid: 'key-1' })
      .setIssuer(url)
      .setAudience(RESOURCE)
      .setSubject('user-1')
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey)
  const close = async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  return { url, publicKey: publicKey as unknown as KeyObject, algorithm, token, close }
}

type Handlers = readonly { readonly name: string; readonly isOurs: boolean; readonly handler: RequestHandler }[]

async function handlersOf(issuer: Issuer): Promise<Handlers> {
  const { url, algorithm } = issuer
  const keys = createRemoteJWKSet(new URL(`${url}/jwks`))
  const verifyAccessToken = async (token: string) => {
    const { payload } = await jwtVerify(token, keys, {
      issuer: url,
      audience: RESOURCE,
      algorithms: [algorithm],
      typ: 'at+jwt',
    })
    const scopes = String(payload.scope).split(' ')
    return { token, clientId: String(payload.client_id), scopes, expiresAt: payload.exp, resource: new URL(RESOURCE) }
  }
  const pem = await exportSPKI(issuer.publicKey as never)
  const fast = (name: string, cache: boolean) => {
    const options = { key: pem, cache, algorithms: [algorithm], allowedIss: url, allowedAud: RESOURCE }
    const verify = createVerifier(options)
    const handler: RequestHandler = (request, response, next) => {
      try {
        Object.assign(request, { auth: verify((request.headers.authorization ?? '').slice(7)) })
      } catch {
        response.status(401).end()
        return
      }
      next()
    }
    return { name, isOurs: false, handler }
  }
  const jwtSecret = jwksRsa.expressJwtSecret({ jwksUri: `${url}/jwks`, cache: true, rateLimit: true })
  return [
    {
      name: 'requireOAuthBearer',
      isOurs: true,
      handler: requireOAuthBearer({ resource: RESOURCE, issuer: url, audit: listeningAudit() }),
    },
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
    // jsonwebtoken, which it stands on, has no EdDSA.
    ...(algorithm === 'EdDSA'
      ? []
      : [
          {
            name: 'express-jwt, jwks-rsa',
            isOurs: false,
            handler: expressjwt({
              secret: jwtSecret as never,
              algorithms: [algorithm],
              issuer: url,
              audience: RESOURCE,
            }) as RequestHandler,
          },
        ]),
    fast('fast-jwt', false),
    fast('fast-jwt, its cache', true),
  ]
}

/** `tokens` gives those of one slice; each variant gets the same ones, and has seen of them what it has seen. */
function pattern(id: string, title: string, algorithm: Algorithm, distinct: 1 | 1000 | 'new'): Case {
  return {
    id,
    title,
    maxSlice: distinct === 'new' ? 100 : 4000,
    setup: async () => {
      const issuer = await startIssuer(algorithm)
      const seen = distinct === 'new' ? [] : await Promise.all(Array.from({ length: distinct }, () => issuer.token()))
      let turn = 0
      const request = (token: string) => wire('POST', '/mcp', { authorization: `Bearer ${token}` })
      const wires: Variant['wires'] = (count) =>
        distinct === 'new'
          ? Promise.all(Array.from({ length: count }, async () => request(await issuer.token())))
          : Array.from({ length: count }, () => request(seen[turn++ % seen.length] as string))
      const variants = (await handlersOf(issuer)).map((one) => ({ ...one, wires }))
      return { variants, close: issuer.close }
    },
  }
}

export const oauthCases: readonly Case[] = (['RS256', 'ES256', 'EdDSA'] as const).flatMap((algorithm) => [
  pattern(`oauth-${algorithm.toLowerCase()}-one`, `OAuth ${algorithm}, one token again and again`, algorithm, 1),
  pattern(`oauth-${algorithm.toLowerCase()}-1000`, `OAuth ${algorithm}, 1000 tokens in turn`, algorithm, 1000),
  pattern(`oauth-${algorithm.toLowerCase()}-new`, `OAuth ${algorithm}, tokens never seen before`, algorithm, 'new'),
])
