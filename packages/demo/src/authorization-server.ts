import './quiet.js'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { Provider } from 'oidc-provider'

/** Makes a client's proof for a URL (RFC 9449). */
export type Prove = (url: string) => Promise<string>

/** A real authorization server, and a switch that cuts the network to its keys. */
export interface AuthorizationServer {
  readonly issuer: string
  /** An access token from the token endpoint, by the client credentials grant; with a proof it is bound to its key. */
  accessToken(resource: string, scope: string, prove?: Prove): Promise<string>
  /** An ID token as a client gets it that has this name: signed with the key that signs access tokens. */
  idToken(audience: string): Promise<string>
  /** While cut, requests for the JWKS are reset, as on a network fault. */
  cutKeys(isCut: boolean): void
  close(): Promise<void>
}

const CLIENT = { id: 'demo-client', secret: 'demo-client-secret-of-no-other-use' }
const SCOPES = 'files:read files:write mcp'

/** Starts a real authorization server (oidc-provider) on loopback. */
export async function startAuthorizationServer(): Promise<AuthorizationServer> {
  let handler: ReturnType<Provider['callback']> | undefined
  let areKeysCut = false
  const server = createServer((request, response) => {
    if (areKeysCut && request.url?.startsWith('/jwks')) request.socket.destroy()
    else handler?.(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const issuer = `http://127.0.0.1:${port}`
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  handler = (await createProvider(issuer, privateKey)).callback()
  return {
    issuer,
    accessToken: (resource, scope, prove) => requestToken(issuer, resource, scope, prove),
    idToken: (audience) => signIdToken(issuer, audience, privateKey),
    cutKeys: (isCut) => {
      areKeysCut = isCut
    },
    close: () => closeServer(server),
  }
}

const KEY = { kid: 'demo-1', alg: 'RS256' }

async function createProvider(issuer: string, privateKey: CryptoKey): Promise<Provider> {
  return new Provider(issuer, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), ...KEY, use: 'sig' }] },
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    scopes: SCOPES.split(' '),
    ttl: { ClientCredentials: 600 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => ({
          scope: SCOPES,
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 600,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  })
}

async function requestToken(issuer: string, resource: string, scope: string, prove?: Prove): Promise<string> {
  const url = `${issuer}/token`
  const proof: Record<string, string> = prove === undefined ? {} : { DPoP: await prove(url) }
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...proof, Authorization: `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource, scope }),
  })
  const body = (await response.json()) as { access_token?: string }
  if (body.access_token === undefined) throw new Error(`the token endpoint answered ${JSON.stringify(body)}`)
  return body.access_token
}

function signIdToken(issuer: string, audience: string, key: CryptoKey): Promise<string> {
  return new SignJWT({ nonce: 'n-0S6_WzA2Mj' })
    .setProtectedHeader({ ...KEY, typ: 'JWT' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject('alice')
    .setIssuedAt()
    .setExpirationTime('10m')
    .sign(key)
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
}
