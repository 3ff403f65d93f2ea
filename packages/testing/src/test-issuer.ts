import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { type Loopback, listen } from './loopback.js'
import { SHAPES, type TokenParts, type TokenShape } from './token-shapes.js'

/** Options of {@link testIssuer}. */
export interface TestIssuerOptions {
  /** The resource that its tokens are for, as `aud`. Default `https://api.example.com`. */
  readonly resource?: string | undefined
  /** Default `RS256`. */
  readonly algorithm?: 'RS256' | 'PS256' | 'ES256' | 'EdDSA' | undefined
  /** Milliseconds since the epoch, for the times in its tokens. Default: the system clock. */
  readonly clock?: { now(): number } | undefined
}

/** A key of the issuer. */
export interface IssuerKey {
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly publicJwk: JWK
}

/** An authorization server on a loopback port: metadata (RFC 8414), keys, and access tokens of RFC 9068. */
export interface TestIssuer {
  /** Its identifier and address: `http://127.0.0.1:<port>`. */
  readonly url: string
  /** What the gate's option `resource` must be. */
  readonly resource: string
  /** Every path that was asked for. */
  readonly requests: readonly string[]
  /** A good token, but for what is said: five minutes, subject `u1`, client `c1`, scope `files:read`. */
  token(parts?: TokenParts): Promise<string>
  /** A token that a verifier must refuse, in this way. */
  badToken(shape: TokenShape): Promise<string>
  /** Signs with a new key from now on. The old one stays published unless `retire` is true. */
  rotateKey(options?: { readonly retire?: boolean }): Promise<IssuerKey>
  /** From now on every request is answered with this status. */
  fail(status?: number): void
  /** From now on requests are taken and not answered. */
  hang(): void
  /** From now on connections are cut when something is asked. */
  drop(): void
  /** Ends {@link fail}, {@link hang} and {@link drop}. */
  recover(): void
  /** Stops listening: connections are refused. */
  stop(): Promise<void>
  /** Listens again, on the same port, after {@link stop}. */
  start(): Promise<void>
}

type Fault = (request: IncomingMessage, response: ServerResponse) => void

/**
 * Starts an authorization server for tests.
 *
 * @example
 * const issuer = await testIssuer()
 * app.use(requireOAuthBearer({ issuer: issuer.url, resource: issuer.resource }))
 * const response = await fetch(url, { headers: { authorization: `Bearer ${await issuer.token()}` } })
 */
export async function testIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const { resource = 'https://api.example.com', algorithm = 'RS256', clock = { now: () => Date.now() } } = options
  const requests: string[] = []
  const published: IssuerKey[] = []
  let signing = await makeKey(algorithm)
  published.push(signing)
  let fault: Fault | undefined
  let running: Loopback | undefined = await listen(answer)
  const { url, port } = running

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '').split('?')[0] ?? ''
    requests.push(path)
    if (fault !== undefined) return fault(request, response)
    const metadata = {
      issuer: url,
      jwks_uri: `${url}/jwks`,
      authorization_endpoint: `${url}/authorize`,
      token_endpoint: `${url}/token`,
      response_types_supported: ['code'],
    }
    const documents: Readonly<Record<string, object>> = {
      '/.well-known/oauth-authorization-server': metadata,
      '/.well-known/openid-configuration': metadata,
      '/jwks': { keys: published.map(({ publicJwk }) => publicJwk) },
    }
    const found = Object.hasOwn(documents, path) ? documents[path] : undefined
    response.writeHead(found === undefined ? 404 : 200, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify(found ?? { error: 'not_found' }))
  }

  function token({ claims = {}, header = {}, boundTo }: TokenParts = {}, key = signing): Promise<string> {
    const seconds = Math.floor(clock.now() / 1000)
    const usual = {
      iss: url,
      aud: resource,
      sub: 'u1',
      client_id: 'c1',
      scope: 'files:read',
      iat: seconds,
      exp: seconds + 300,
      jti: randomUUID(),
      cnf: boundTo && { jkt: boundTo.jkt },
    }
    return new SignJWT(withoutUndefined({ ...usual, ...claims }))
      .setProtectedHeader({ alg: algorithm, ...withoutUndefined({ kid: key.kid, typ: 'at+jwt', ...header }) })
      .sign(key.privateKey)
  }

  return {
    url,
    resource,
    requests,
    token: (parts) => token(parts),
    badToken: (shape) =>
      SHAPES[shape]({
        nowSeconds: Math.floor(clock.now() / 1000),
        publicJwk: signing.publicJwk,
        token,
        strangerToken: async (parts) => token(parts, { ...(await makeKey(algorithm)), kid: signing.kid }),
      }),
    async rotateKey({ retire = false } = {}) {
      if (retire) published.length = 0
      signing = await makeKey(algorithm)
      published.push(signing)
      return signing
    },
    fail: (status = 503) => {
      fault = (_request, response) => response.writeHead(status).end()
    },
    hang: () => {
      fault = () => undefined
    },
    drop: () => {
      fault = (request) => request.socket.destroy()
    },
    recover: () => {
      fault = undefined
    },
    async stop() {
      await running?.close()
      running = undefined
    },
    async start() {
      running ??= await listen(answer, port)
    },
  }
}

async function makeKey(algorithm: string): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  const kid = randomUUID()
  return { kid, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' } }
}

function withoutUndefined(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined))
}
