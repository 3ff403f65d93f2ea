// An OpenID provider in a process of its own: anybody may sign in under any name. Prints its port.
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type ClientMetadata, Provider } from 'oidc-provider'

const server = createServer().listen(Number(process.env.PORT ?? 0), '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as { port: number }
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const provider = new Provider(`http://${process.env.PROVIDER_HOST ?? '127.0.0.1'}:${port}`, {
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'test-1', alg: 'RS256', use: 'sig' }] },
  clients: [
    {
      client_id: 'settings',
      client_secret: 'settings-client-secret-of-the-tests',
      redirect_uris: ['http://127.0.0.1/settings/oauth/callback'],
    },
    ...(JSON.parse(process.env.PROVIDER_CLIENTS ?? '[]') as object[]),
  ] as ClientMetadata[],
  cookies: { keys: ['cookie-key-of-the-tests'] },
  findAccount: (_context, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  features: { devInteractions: { enabled: true } },
})
// The apps under test are on ports that they pick themselves.
const client = provider.Client as unknown as { prototype: { redirectUriAllowed(uri: string): boolean } }
client.prototype.redirectUriAllowed = (uri) => new URL(uri).pathname.endsWith('/oauth/callback')
server.on('request', provider.callback())
console.log(port)
process.on('disconnect', () => process.exit())
