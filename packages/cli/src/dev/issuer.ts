import { randomBytes, randomUUID } from 'node:crypto'
import { secretsEqual } from '@countersign/core/gate-kit'
import type { Express, Request } from 'express'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

/** An authorization server for one run of `countersign dev`: metadata, keys, and tokens of the client credentials grant. */
export interface DevIssuer {
  readonly client: { readonly id: string; readonly secret: string }
  /** An access token (RFC 9068) for a resource. */
  token(resource: string, scope?: string): Promise<string>
}

/** A working day: it ends with the process in any case. */
const TOKEN_SECONDS = 8 * 3600
const SCOPE = 'read write'
const CLIENT_ID = 'dev'

/** Makes the issuer and mounts what clients and gates ask it. */
export async function mountIssuer(app: Express, url: string, resources: readonly string[]): Promise<DevIssuer> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  // Of this run: a gate that knows the key of an earlier one asks for the new one.
  const kid = randomBytes(6).toString('base64url')
  const key = { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }
  const client = { id: CLIENT_ID, secret: randomBytes(16).toString('base64url') }

  const token = (resource: string, scope = SCOPE) =>
    new SignJWT({ client_id: client.id, scope, jti: randomUUID() })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
      .setIssuer(url)
      .setSubject(client.id)
      .setAudience(resource)
      .setIssuedAt()
      .setExpirationTime(`${TOKEN_SECONDS}s`)
      .sign(privateKey)

  const metadata = {
    issuer: url,
    jwks_uri: `${url}/jwks`,
    token_endpoint: `${url}/token`,
    response_types_supported: ['code'],
    grant_types_supported: ['client_credentials'],
    token_endpoint_auth_methods_supported: ['client_secret_basic'],
    scopes_supported: SCOPE.split(' '),
  }
  app.get(['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'], (_request, response) => {
    response.json(metadata)
  })
  app.get('/jwks', (_request, response) => {
    response.json({ keys: [key] })
  })
  app.post('/token', async (request, response) => {
    const form = new URLSearchParams(await readForm(request))
    const resource = form.get('resource') ?? resources[0] ?? ''
    const scope = form.get('scope') ?? SCOPE
    const problem = refusalOf(request, form, resource, scope)
    response.set('Cache-Control', 'no-store')
    if (problem !== undefined) {
      const [status, error, error_description] = problem
      response.status(status).json({ error, error_description })
      return
    }
    const access_token = await token(resource, scope)
    response.json({ access_token, token_type: 'Bearer', expires_in: TOKEN_SECONDS, scope })
  })

  function refusalOf(request: Request, form: URLSearchParams, resource: string, scope: string) {
    const given = /^Basic ([A-Za-z0-9+/]+=*)$/i.exec(request.headers.authorization ?? '')?.[1] ?? ''
    if (!secretsEqual(Buffer.from(given, 'base64').toString(), `${client.id}:${client.secret}`)) {
      return [401, 'invalid_client', 'authenticate with client_secret_basic, as countersign dev printed it'] as const
    }
    if (form.get('grant_type') !== 'client_credentials') {
      return [400, 'unsupported_grant_type', 'this server supports only grant_type=client_credentials'] as const
    }
    if (!resources.includes(resource)) {
      return [400, 'invalid_target', `resource is one of ${resources.join(', ')}; --app adds one`] as const
    }
    const known = SCOPE.split(' ')
    if (scope.split(' ').some((name) => !known.includes(name))) {
      return [400, 'invalid_scope', `the scopes are ${SCOPE}`] as const
    }
    return undefined
  }

  return { client, token }
}

const MAX_FORM = 10_000

async function readForm(request: Request): Promise<string> {
  let text = ''
  for await (const chunk of request) {
    text += String(chunk)
    if (text.length > MAX_FORM) break
  }
  return text
}
