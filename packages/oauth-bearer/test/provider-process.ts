// A real authorization server as a process of its own. It prints its port, and does over IPC what a test asks for.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { type ClientMetadata, Provider } from 'oidc-provider'

export type Fault = 'reset' | 'hung' | 'slow body' | '500' | 'HTML' | 'empty' | 'huge'
export type ProviderCommand =
  | { readonly command: 'fault'; readonly path: string; readonly fault: Fault | null }
  /** Stops listening, as a process that is gone; and listens again on the same port. */
  | { readonly command: 'listen'; readonly on: boolean }
  /** Signs with a new key from now on; the old ones are published as well, or are gone. */
  | { readonly command: 'rotate'; readonly keepOld: boolean }
  | { readonly command: 'requests' }

const SCOPES = 'mcp files:read files:write'
const faults = new Map<string, Fault>()
const requests: string[] = []
let keys: JWK[] = []
let provider: Provider
let answer: ReturnType<Provider['callback']>

async function addKey(keepOld: boolean): Promise<void> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  const key = { ...(await exportJWK(privateKey)), kid: `key-${Date.now()}-${Math.random()}`, alg: 'RS256', use: 'sig' }
  keys = keepOld ? [key, ...keys] : [key]
}

/** A resource server as a client: it does nothing but introspect. */
function resourceClient(id: string, rest: Partial<ClientMetadata>): ClientMetadata {
  return { client_id: id, grant_types: [], redirect_uris: [], response_types: [], ...rest }
}

function createProvider(issuer: string): Provider {
  return new Provider(issuer, {
    jwks: { keys },
    cookies: { keys: ['a-key-of-the-tests'] },
    // Clients that are scripts may get tokens.
    clientBasedCORS: () => true,
    // Its own dispatcher keeps it from loopback, where the hosts of the clients are.
    fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined } as RequestInit),
    scopes: SCOPES.split(' '),
    ttl: { ClientCredentials: 3600, AccessToken: 3600, Session: 3600, Grant: 3600, Interaction: 600 },
    findAccount: (_context, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    clients: [
      {
        client_id: 'machine',
        client_secret: 'the-secret-of-the-machine',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
      {
        client_id: 'page',
        redirect_uris: ['http://127.0.0.1:9/callback'],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
        application_type: 'native',
      },
      {
        client_id: 'machine-mtls',
        client_secret: 'the-secret-of-the-machine',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        tls_client_certificate_bound_access_tokens: true,
      },
      resourceClient('resource', { client_secret: 'the-secret-of-the-resource' }),
      resourceClient('resource-post', {
        client_secret: 'the-secret-of-the-resource',
        token_endpoint_auth_method: 'client_secret_post',
      }),
      resourceClient('resource-jwt', {
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'ES256',
        jwks: { keys: [JSON.parse(process.env.RESOURCE_JWK ?? '{}')] },
      }),
    ],
    // A client registers with the scopes that it asks for first; the step-up asks for more.
    extraClientMetadata: {
      properties: ['x_any_scope'],
      validator: (_context, _key, _value, metadata) => {
        delete metadata.scope
      },
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      registration: { enabled: true },
      clientIdMetadataDocument: { enabled: true, ack: 'draft-02' },
      // Behind a proxy that ends TLS, as nginx writes it.
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        getCertificate: (context) => decodeURIComponent(context.get('x-ssl-client-cert')) || undefined,
      },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => ({
          scope: SCOPES,
          audience: resource,
          accessTokenFormat: resource.endsWith('/opaque') ? 'opaque' : 'jwt',
          accessTokenTTL: 3600,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  })
}

/** The person at the browser agrees to everything. */
async function interact(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response)
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: 'u1' } })
  }
  const known = grantId === undefined ? undefined : await provider.Grant.find(grantId)
  const grant = known ?? new provider.Grant({ accountId: session?.accountId, clientId: String(params.client_id) })
  const { missingOIDCScope, missingResourceScopes } = prompt.details as {
    missingOIDCScope?: string[]
    missingResourceScopes?: Record<string, string[]>
  }
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '))
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '))
  }
  const consent = { grantId: await grant.save() }
  return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true })
}

const ANSWERS: Record<Fault, (response: ServerResponse) => void> = {
  reset: (response) => void response.socket?.destroy(),
  hung: () => undefined,
  'slow body': (response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    const timer = setInterval(() => response.write(' '), 100)
    response.on('close', () => clearInterval(timer))
  },
  '500': (response) => void response.writeHead(500, { 'content-type': 'application/json' }).end('{}'),
  HTML: (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>maintenance</html>'),
  empty: (response) => void response.writeHead(200).end(),
  huge: (response) => void response.writeHead(200).end(`{"keys":[],"active":false,"x":"${'x'.repeat(1_000_000)}"}`),
}

const server = createServer((request, response) => {
  const path = (request.url ?? '').split('?')[0] ?? ''
  requests.push(path)
  const fault = faults.get(path)
  if (fault !== undefined) return ANSWERS[fault](response)
  if (path.startsWith('/interaction/')) {
    interact(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)))
  } else {
    answer(request, response)
  }
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as { port: number }
const issuer = `http://127.0.0.1:${port}`

function renew(): void {
  provider = createProvider(issuer)
  answer = provider.callback()
}

async function run(command: ProviderCommand): Promise<unknown> {
  switch (command.command) {
    case 'fault':
      if (command.fault === null) faults.delete(command.path)
      else faults.set(command.path, command.fault)
      return null
    case 'listen':
      if (command.on) {
        server.listen(port, '127.0.0.1')
        await once(server, 'listening')
      } else {
        server.closeAllConnections()
        server.close()
        await once(server, 'close')
      }
      return null
    case 'rotate':
      await addKey(command.keepOld)
      renew()
      return null
    case 'requests':
      return requests.splice(0)
  }
}

await addKey(false)
renew()
process.on('message', (message: ProviderCommand & { id: number }) => {
  run(message).then(
    (result) => process.send?.({ id: message.id, result }),
    (error: unknown) => process.send?.({ id: message.id, error: String(error) }),
  )
})
console.log(port)
