import type { RequestListener } from 'node:http'
import { exportJWK, generateKeyPair } from 'jose'
import { Provider } from 'oidc-provider'
import { type RunningServer, serve } from '../../../test/support/http-server.js'

/** A real authorization server, at which clients can register themselves. */
export interface AuthorizationServer {
  readonly issuer: string
  /** Its metadata, as it serves it. */
  readonly metadata: Record<string, unknown>
  /** An access token, a JWT, by the client credentials grant. */
  accessToken(resource: string, scope?: string): Promise<string>
  /** How many clients have registered and are not removed. */
  clientCount(): number
  close(): Promise<void>
}

const CLIENT = { id: 'smoke', secret: 'smoke-client-secret-of-no-other-use' }

export async function startAuthorizationServer(): Promise<AuthorizationServer> {
  let handler: RequestListener | undefined
  const server: RunningServer = await serve((request, response) => handler?.(request, response))
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  const provider = new Provider(server.url, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'k1', alg: 'RS256', use: 'sig' }] },
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    scopes: ['mcp'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      registration: { enabled: true },
      registrationManagement: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => ({
          scope: 'mcp',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 600,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  })
  let clients = 0
  provider.on('registration_create.success', () => {
    clients += 1
  })
  provider.on('registration_delete.success', () => {
    clients -= 1
  })
  handler = provider.callback()
  const metadata = await (await fetch(`${server.url}/.well-known/oauth-authorization-server`)).json()
  return {
    issuer: server.url,
    metadata: metadata as Record<string, unknown>,
    clientCount: () => clients,
    accessToken: async (resource, scope = 'mcp') => {
      const response = await fetch(`${server.url}/token`, {
        method: 'POST',
        headers: { Authorization: `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', resource, scope }),
      })
      return ((await response.json()) as { access_token: string }).access_token
    },
    close: server.close,
  }
}
