import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import type { RunningServer } from '../../../test/support/http-server.js'
import { serveApp, smoke } from './smoke-harness.js'

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const GOOD_KEYS = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1' }] }

/** A resource of which each part can be broken. */
interface Broken {
  readonly status?: number
  readonly challenge?: (metadata: string) => string | undefined
  readonly metadata?: (document: Record<string, unknown>) => unknown
  readonly metadataType?: string
  readonly metadataStatus?: number
  readonly wellKnown?: Record<string, unknown>
  readonly server?: (document: Record<string, unknown>) => unknown
  readonly serverStatus?: number
  readonly jwks?: unknown
}

async function startBroken(broken: Broken): Promise<RunningServer> {
  return serveApp((baseUrl) => {
    const app = express()
    const advertised = `${baseUrl}/metadata`
    const { challenge = (metadata: string) => `Bearer resource_metadata="${metadata}"` } = broken
    app.all('/mcp', (request, response) => {
      const field = challenge(advertised)
      const isShown = request.headers.authorization !== undefined
      if (field !== undefined) response.set('WWW-Authenticate', isShown ? `${field}, error="invalid_token"` : field)
      response.status(broken.status ?? 401).end()
    })
    const document = {
      resource: `${baseUrl}/mcp`,
      authorization_servers: [`${baseUrl}/as`],
      bearer_methods_supported: ['header'],
      scopes_supported: ['mcp'],
    }
    const send =
      (status: number, type: string, body: unknown): RequestHandler =>
      (_request, response) => {
        response.set('Access-Control-Allow-Origin', '*').status(status).type(type)
        response.send(typeof body === 'string' ? body : JSON.stringify(body))
      }
    const meta = broken.metadata === undefined ? document : broken.metadata(document)
    app.get('/metadata', send(broken.metadataStatus ?? 200, broken.metadataType ?? 'application/json', meta))
    app.get(
      '/.well-known/oauth-protected-resource/mcp',
      broken.wellKnown === undefined
        ? send(broken.metadataStatus ?? 200, broken.metadataType ?? 'application/json', meta)
        : send(200, 'application/json', broken.wellKnown),
    )
    const issuer = {
      issuer: `${baseUrl}/as`,
      authorization_endpoint: `${baseUrl}/as/authorize`,
      token_endpoint: `${baseUrl}/as/token`,
      registration_endpoint: `${baseUrl}/as/register`,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      jwks_uri: `${baseUrl}/as/jwks`,
    }
    const about = broken.server === undefined ? issuer : broken.server(issuer)
    app.get('/.well-known/oauth-authorization-server/as', send(broken.serverStatus ?? 200, 'application/json', about))
    app.get('/as/jwks', send(200, 'application/json', broken.jwks ?? GOOD_KEYS))
    app.post('/as/register', send(403, 'application/json', { error: 'access_denied' }))
    return app
  })
}

const without =
  (name: string) =>
  ({ [name]: _removed, ...rest }: Record<string, unknown>) =>
    rest
const changed = (change: Record<string, unknown>) => (document: Record<string, unknown>) => ({ ...document, ...change })

interface Fault extends Broken {
  readonly what: string
  readonly failed?: string
  readonly warned?: string
}

const BASIC = () => 'Basic realm="x"'
const challengeFaults: Fault[] = [
  { what: 'a request without a token is granted', status: 200, failed: 'unauthenticated made-up-token' },
  { what: 'the path is wrong', status: 404, failed: 'unauthenticated made-up-token' },
  { what: 'there is no challenge', challenge: () => undefined, failed: 'challenge', warned: 'made-up-token' },
  { what: 'the challenge is Basic', challenge: BASIC, failed: 'challenge', warned: 'made-up-token' },
  { what: 'the challenge has no grammar', challenge: () => 'Bearer "', failed: 'challenge', warned: 'made-up-token' },
  { what: 'it names no metadata', challenge: () => 'Bearer realm="x"', warned: 'challenge-metadata' },
  {
    what: 'it names the metadata by a path',
    challenge: () => 'Bearer resource_metadata="/metadata"',
    failed: 'challenge-metadata',
  },
  {
    what: 'Bearer comes second',
    challenge: (url) => `DPoP algs="ES256", Bearer, Bearer resource_metadata="${url}"`,
    warned: 'challenge-order',
  },
]

/** After these no authorization server is known. */
const fatalFaults: Fault[] = [
  { what: 'the metadata is not there', metadataStatus: 404, failed: 'metadata' },
  { what: 'the metadata is HTML', metadataType: 'text/html', metadata: () => '<html>', failed: 'metadata' },
  { what: 'the metadata is no JSON', metadata: () => '{"resource":', failed: 'metadata' },
  { what: 'the metadata is a list', metadata: () => [], failed: 'metadata' },
  { what: 'no server is named', metadata: without('authorization_servers'), failed: 'metadata-servers' },
  { what: 'the servers are none', metadata: changed({ authorization_servers: [] }), failed: 'metadata-servers' },
  {
    what: 'a server is not https',
    metadata: changed({ authorization_servers: ['http://as.example.com'] }),
    failed: 'metadata-servers',
  },
]

const resource = (change: (own: string) => string) => (document: Record<string, unknown>) => ({
  ...document,
  resource: change(String(document.resource)),
})
const metadataFaults: Fault[] = [
  {
    what: 'the resource is another',
    metadata: resource(() => 'https://a.example.com/mcp'),
    failed: 'metadata-resource',
  },
  { what: 'it has a slash too many', metadata: resource((own) => `${own}/`), failed: 'metadata-resource' },
  { what: 'it is the origin', metadata: resource((own) => new URL(own).origin), warned: 'metadata-resource' },
  { what: 'it is missing', metadata: without('resource'), failed: 'metadata-resource' },
  {
    what: 'the well-known document differs',
    wellKnown: { resource: 'https://a.example.com' },
    failed: 'metadata-well-known',
  },
  {
    what: 'tokens are not taken in the header',
    metadata: changed({ bearer_methods_supported: ['body'] }),
    failed: 'metadata-methods',
  },
  {
    what: 'tokens are taken in the query',
    metadata: changed({ bearer_methods_supported: ['header', 'query'] }),
    warned: 'metadata-methods',
  },
  { what: 'the scopes are one text', metadata: changed({ scopes_supported: 'a b' }), failed: 'metadata-scopes' },
  {
    what: 'offline_access is a scope',
    metadata: changed({ scopes_supported: ['offline_access'] }),
    warned: 'metadata-scopes',
  },
]

const serverFaults: Fault[] = [
  { what: 'the server metadata is not there', serverStatus: 404, failed: 'server-metadata' },
  { what: 'the server metadata is no JSON', server: () => 'oops', failed: 'server-metadata' },
  { what: 'the issuer is another', server: changed({ issuer: 'https://as.example.com' }), failed: 'server-issuer' },
  { what: 'PKCE is missing', server: without('code_challenge_methods_supported'), failed: 'server-pkce' },
  {
    what: 'PKCE is plain alone',
    server: changed({ code_challenge_methods_supported: ['plain'] }),
    failed: 'server-pkce',
  },
  { what: 'there is no token endpoint', server: without('token_endpoint'), failed: 'server-endpoints' },
  {
    what: 'an endpoint is not https',
    server: changed({ authorization_endpoint: 'http://as.example.com/' }),
    failed: 'server-endpoints',
  },
  {
    what: 'the code flow is missing',
    server: changed({ response_types_supported: ['token'] }),
    failed: 'server-response-types',
  },
  { what: 'clients cannot register', server: without('registration_endpoint'), warned: 'server-registration' },
  {
    what: 'registration is at no URL',
    server: changed({ registration_endpoint: 7 }),
    failed: 'server-registration',
  },
  { what: 'the keys are empty', jwks: { keys: [] }, failed: 'server-keys' },
  { what: 'a private key is published', jwks: { keys: [{ kty: 'RSA', d: 'x' }] }, failed: 'server-keys' },
  {
    what: 'no key can be used',
    jwks: { keys: [{ kty: 'RSA', kid: 'k1', n: 'x', e: 'AQAB' }] },
    warned: 'server-keys',
  },
]

/** One run of the command finds the faults of several parts. */
const runs: Fault[][] = [
  [],
  ...fatalFaults.map((fault, index) => [fault, ...challengeFaults.slice(index, index + 1)]),
  ...serverFaults.map((fault, index) => [
    fault,
    ...metadataFaults.slice(index, index + 1),
    // The last one needs its metadata to be as the challenge says.
    ...(index === serverFaults.length - 1 ? challengeFaults.slice(fatalFaults.length) : []),
  ]),
]

describe('oauth smoke, against a broken resource', () => {
  test.each(runs.map((faults) => [faults.map(({ what }) => what).join('; ') || 'nothing', faults] as const))(
    '[cli-smoke-broken-metadata] %s',
    async (_what, faults) => {
      const running = await startBroken(Object.assign({}, ...faults))
      const named = (kind: 'failed' | 'warned') => faults.flatMap((fault) => fault[kind]?.split(' ') ?? []).sort()
      try {
        const { failed, warned, checks } = await smoke([`${running.url}/mcp`])
        expect({ failed: failed.sort(), warned: warned.sort() }).toEqual({
          failed: named('failed'),
          warned: named('warned'),
        })
        for (const { status, ...check } of checks) {
          if (status === 'fail' || status === 'warn') expect(check).toHaveProperty('remedy')
        }
      } finally {
        await running.close()
      }
    },
  )

  test('every fault is in a run', () => {
    expect(new Set(runs.flat()).size).toBe([challengeFaults, fatalFaults, metadataFaults, serverFaults].flat().length)
  })

  test('a registration that is refused, and a token that a server repeats', async () => {
    const token = 'a-token-that-the-server-repeats-in-its-answer'
    const running = await startBroken({
      challenge: (metadata) => `Bearer resource_metadata="${metadata}", scope="mcp ${token}"`,
      status: 401,
    })
    try {
      const registered = await smoke([`${running.url}/mcp`, '--register'])
      expect(registered.failed).toEqual(['registration'])
      const result = await smoke([`${running.url}/mcp`, '--api'], { env: { COUNTERSIGN_TOKEN: token } })
      expect(result.failed).toEqual(['token'])
      expect(`${result.stdout}${result.stderr}`).not.toContain(token)
    } finally {
      await running.close()
    }
  })
})
