import { createHash, createSign, generateKeyPairSync } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { SettingsOAuth } from '@countersign/settings-session'
import { type RunningServer, serve } from '../../../../test/support/http-server.js'

/** What a provider of the test's own answers; each part can be made wrong. */
export interface HostileProvider extends RunningServer {
  readonly oauth: SettingsOAuth
  /** Changes of the next answers' claims; `undefined` leaves a claim out. */
  claims: Record<string, unknown>
  /** `iss` of the authorization response; undefined leaves it out. */
  responseIssuer: string | undefined
  /** Takes over a path, such as `/token`. */
  readonly overrides: Map<string, (request: IncomingMessage, response: ServerResponse) => void>
  /** PKCE challenges that did not fit their verifiers. */
  readonly pkceFailures: string[]
  /** Our callback's URL that a browser at `authorizationUrl` would come back with. */
  answerTo(authorizationUrl: string): string
}

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

function sign(claims: Record<string, unknown>): string {
  const input = `${base64url({ alg: 'RS256', kid: 'k1', typ: 'JWT' })}.${base64url(claims)}`
  return `${input}.${createSign('RSA-SHA256').update(input).sign(privateKey).toString('base64url')}`
}

export async function startHostileProvider(): Promise<HostileProvider> {
  const grants = new Map<string, { nonce: string | null; challenge: string | null }>()
  const overrides: HostileProvider['overrides'] = new Map()
  const pkceFailures: string[] = []
  let count = 0
  const running = await serve((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://x')
    const override = overrides.get(pathname)
    if (override !== undefined) return override(request, response)
    const json = (value: unknown) => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(value))
    }
    if (pathname === '/.well-known/openid-configuration') {
      return json({
        issuer: provider.url,
        authorization_endpoint: `${provider.url}/authorize`,
        token_endpoint: `${provider.url}/token`,
        jwks_uri: `${provider.url}/jwks`,
        authorization_response_iss_parameter_supported: true,
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
        code_challenge_methods_supported: ['S256'],
      })
    }
    if (pathname === '/jwks') {
      return json({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' }] })
    }
    if (pathname === '/userinfo') return json({ id: 4711, login: 'octocat' })
    let body = ''
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString()
    })
    request.on('end', () => {
      const form = new URLSearchParams(body)
      const grant = grants.get(form.get('code') ?? '')
      const digest = createHash('sha256')
        .update(form.get('code_verifier') ?? '')
        .digest('base64url')
      if (grant?.challenge !== digest) pkceFailures.push(digest)
      const now = Math.floor(Date.now() / 1000)
      const claims = { iss: provider.url, sub: 'alice', aud: 'settings', iat: now, exp: now + 60, nonce: grant?.nonce }
      const altered = JSON.parse(JSON.stringify({ ...claims, ...provider.claims })) as Record<string, unknown>
      json({ access_token: 'a', token_type: 'Bearer', ...(grant?.nonce ? { id_token: sign(altered) } : {}) })
    })
  })
  const provider: HostileProvider = {
    ...running,
    oauth: { issuer: running.url, clientId: 'settings', clientSecret: 'a-secret-of-the-tests', timeoutMs: 1500 },
    claims: {},
    responseIssuer: running.url,
    overrides,
    pkceFailures,
    answerTo(authorizationUrl) {
      const { searchParams } = new URL(authorizationUrl)
      const code = `code${count++}`
      grants.set(code, { nonce: searchParams.get('nonce'), challenge: searchParams.get('code_challenge') })
      const answer = new URL(searchParams.get('redirect_uri') as string)
      answer.searchParams.set('code', code)
      answer.searchParams.set('state', searchParams.get('state') as string)
      if (provider.responseIssuer !== undefined) answer.searchParams.set('iss', provider.responseIssuer)
      return answer.href
    },
  }
  return provider
}
