import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { type RunningServer, serve } from '../../../test/support/http-server.js'

/** One key of the issuer, and what it publishes of it. */
export interface IssuerKey {
  readonly privateKey: CryptoKey
  readonly jwk: JWK & { kid: string }
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** An authorization server of which a test decides each answer. */
export interface TestIssuer extends RunningServer {
  /** Every path that was asked for. */
  readonly requests: string[]
  /** How often the key set was asked for. */
  readonly fetches: () => number
  /** What the key set holds now. */
  keys: readonly object[]
  /** What the metadata says beside its usual members. */
  metadata: Record<string, unknown>
  /** Header fields of the key set. */
  jwksHeaders: Record<string, string>
  /** Takes over the answers of a path; undefined gives it back. */
  answer(path: string, answer: Answer | undefined): void
}

export async function makeKey(kid: string, alg = 'RS256'): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

export async function startIssuer(...keys: readonly IssuerKey[]): Promise<TestIssuer> {
  const requests: string[] = []
  const taken = new Map<string, Answer>()
  const state = { keys: keys.map(({ jwk }) => jwk as object), metadata: {}, jwksHeaders: {} }
  const running = await serve((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? ''
    requests.push(path)
    const own = taken.get(path)
    if (own !== undefined) return own(request, response)
    const metadata = { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks`, ...issuer.metadata }
    const documents: Record<string, object> = {
      '/.well-known/oauth-authorization-server': metadata,
      '/jwks': { keys: issuer.keys },
    }
    const found = documents[path]
    const headers = { 'content-type': 'application/json', ...(path === '/jwks' ? issuer.jwksHeaders : {}) }
    response.writeHead(found === undefined ? 404 : 200, headers).end(JSON.stringify(found ?? {}))
  })
  const issuer: TestIssuer = Object.assign(state, running, {
    requests,
    fetches: () => requests.filter((path) => path === '/jwks').length,
    answer: (path: string, answer: Answer | undefined) => {
      if (answer === undefined) taken.delete(path)
      else taken.set(path, answer)
    },
  })
  return issuer
}

export interface TokenParts {
  readonly header?: Record<string, unknown>
  /** A member that is undefined is left out. */
  readonly claims?: Record<string, unknown>
}

/** An access token of RFC 9068, but for what is said otherwise. */
export function signToken(
  key: IssuerKey,
  { issuer, audience, now }: { issuer: string; audience: string; now: number },
  { header = {}, claims = {} }: TokenParts = {},
): Promise<string> {
  const seconds = Math.floor(now / 1000)
  const usual = {
    iss: issuer,
    aud: audience,
    sub: 'u1',
    client_id: 'c1',
    iat: seconds,
    exp: seconds + 300,
    jti: randomUUID(),
    scope: 'files:read',
  }
  const { kid, alg } = key.jwk
  return new SignJWT(JSON.parse(JSON.stringify({ ...usual, ...claims })))
    .setProtectedHeader(JSON.parse(JSON.stringify({ alg, kid, typ: 'at+jwt', ...header })))
    .sign(key.privateKey)
}
