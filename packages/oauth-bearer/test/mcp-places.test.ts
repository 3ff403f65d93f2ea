import { type OAuthBearerGate, requireOAuthBearer } from '@countersign/oauth-bearer'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import express, { type IRouter, Router } from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { serve } from '../../../test/support/http-server.js'
import { catchWarnings } from '../../../test/support/warnings.js'
import { type ClientDocuments, serveClientDocument } from './client-documents.js'
import { CLIENT_METADATA, MCP_CLIENTS, mcpSession } from './mcp-session.js'
import { mcpTools } from './mcp-tools.js'
import { startPathProxy } from './path-proxy.js'
import { type RealProvider, startProvider } from './provider.js'

const WELL_KNOWN = '/.well-known/oauth-protected-resource'
let provider: RealProvider
let documents: ClientDocuments
const cleanUp: (() => Promise<void>)[] = []
beforeAll(async () => {
  documents = await serveClientDocument(CLIENT_METADATA)
  provider = await startProvider(undefined, documents.trust)
}, 30_000)
afterAll(async () => {
  await provider.stop()
  await documents.close()
})
afterEach(async () => {
  for (const stop of cleanUp.splice(0).reverse()) await stop()
})

/** Where an MCP server is, for its clients and for its app. */
interface Place {
  /** What `resource` has after the origin. */
  readonly resource: string
  /** What clients are given after the origin. */
  readonly url: string
  /** Where the document is, as challenges say. */
  readonly metadata: string
  /** What a proxy before the app passes on, and as what. Default: everything, as it is. */
  readonly proxy?: Readonly<Record<string, string>>
  /** Where the app has the MCP server. Default: as clients. */
  readonly route?: string
  /** The path of a router that has the MCP server, and the metadata as well. */
  readonly router?: string
  /** The same, with the metadata at the root of the app. */
  readonly routerOfTheServer?: string
  readonly resourceMetadataUrl?: string
}

const PLACES: Readonly<Record<string, Place>> = {
  'the root of a host, without a slash': { resource: '', url: '', route: '/', metadata: WELL_KNOWN },
  'the root of a host, without a slash, where clients are given one': {
    resource: '',
    url: '/',
    metadata: WELL_KNOWN,
  },
  'the root of a host, with a slash': { resource: '/', url: '', route: '/', metadata: WELL_KNOWN },
  'a path': { resource: '/mcp', url: '/mcp', metadata: `${WELL_KNOWN}/mcp` },
  'a router, with the metadata at the root': {
    resource: '/api/mcp',
    url: '/api/mcp',
    routerOfTheServer: '/api',
    route: '/mcp',
    metadata: `${WELL_KNOWN}/api/mcp`,
  },
  'a router that has the metadata as well': {
    resource: '/api/mcp',
    url: '/api/mcp',
    router: '/api',
    route: '/mcp',
    metadata: `/api${WELL_KNOWN}`,
  },
  'a proxy that strips a prefix and passes on the place of RFC 9728': {
    resource: '/team/mcp',
    url: '/team/mcp',
    proxy: { '/team': '', [WELL_KNOWN]: WELL_KNOWN },
    route: '/mcp',
    metadata: `${WELL_KNOWN}/team/mcp`,
  },
  'a proxy that passes on nothing but a prefix, which it strips': {
    resource: '/team/mcp',
    url: '/team/mcp',
    proxy: { '/team': '' },
    route: '/mcp',
    resourceMetadataUrl: `/team${WELL_KNOWN}/mcp`,
    metadata: `/team${WELL_KNOWN}/mcp`,
  },
  'a router behind a proxy that strips a prefix': {
    resource: '/team/api/mcp',
    url: '/team/api/mcp',
    proxy: { '/team': '' },
    router: '/api',
    route: '/mcp',
    metadata: `/team/api${WELL_KNOWN}`,
  },
}

interface Placed {
  readonly url: string
  readonly resource: string
  readonly metadata: string
  readonly reasons: () => readonly (string | undefined)[]
}

async function startAt(place: Place): Promise<Placed> {
  const { proxy, route = place.url, router, routerOfTheServer, resourceMetadataUrl } = place
  const app = express()
  const server = await serve(app)
  cleanUp.push(server.close)
  const front = proxy === undefined ? server : await startPathProxy(proxy, server.port)
  if (front !== server) cleanUp.push(front.close)
  const { audit, reasons } = recordedAudit()
  const resource = `${front.url}${place.resource}`
  const oauth = requireOAuthBearer({
    resource,
    issuer: provider.issuer,
    scopes: ['mcp'],
    audit,
    ...(resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl: `${front.url}${resourceMetadataUrl}` }),
  })
  const mounted = router ?? routerOfTheServer
  const below = mounted === undefined ? app : Router()
  if (router === undefined) app.use(oauth.metadata())
  else below.use(oauth.metadata())
  addServer(below, route, oauth)
  if (mounted !== undefined) app.use(mounted, below)
  return { url: `${front.url}${place.url}`, resource, metadata: `${front.url}${place.metadata}`, reasons }
}

function addServer(router: IRouter, route: string, oauth: OAuthBearerGate): void {
  const write = oauth.scopes('files:write')
  router.all(route, oauth, express.json(), (request, response, next) =>
    request.body?.params?.name === 'write_file' ? write(request, response, next) : next(),
  )
  router.all(route, mcpTools())
}

async function challengeOf(url: string): Promise<string | null> {
  const { status, headers } = await fetch(url, { method: 'POST', body: '{}' })
  expect(status).toBe(401)
  return headers.get('www-authenticate')
}

describe.each(Object.keys(PLACES))('an MCP server at %s', (name) => {
  test.each(Object.keys(MCP_CLIENTS))(
    '[oauth-mcp-places] %s gets from 401 to a tool, and over 403 to the next one',
    async (client) => {
      const { warnings, stop } = catchWarnings()
      const place = PLACES[name] as Place
      const { url, resource, metadata, reasons } = await startAt(place)
      expect(await challengeOf(url)).toContain(`resource_metadata="${metadata}"`)
      const document = await fetch(metadata)
      expect(await document.json()).toMatchObject({ resource, authorization_servers: [provider.issuer] })

      const session = mcpSession(client, url)
      const { store } = session
      await expect(session.connect()).rejects.toThrow(/unauthorized/i)
      expect(store.sent[0]?.searchParams.get('scope')).toBe('mcp')
      await session.authorize()
      await session.connect()
      expect(await session.call('read_file')).toBe('read_file for u1')
      await expect(session.call('write_file')).rejects.toThrow(/unauthorized/i)
      await session.authorize()
      expect(await session.call('write_file')).toBe('write_file for u1')
      expect(store.sent).toHaveLength(2)
      await session.close()
      expect(new Set(reasons())).toEqual(new Set(['missing', undefined, 'insufficient_scope']))
      stop()
      const told = warnings.map(({ code }) => code)
      expect(told.filter((code) => code !== 'COUNTERSIGN_OAUTH_METADATA_MISPLACED')).toEqual([])
      expect(told).toHaveLength(place.router === undefined ? 0 : 1)
    },
    60_000,
  )
})

describe('a client whose id is the URL of its metadata', () => {
  test.each(Object.keys(MCP_CLIENTS))('[oauth-mcp-places] %s gets to a tool without a registration', async (client) => {
    const { url } = await startAt(PLACES['a path'] as Place)
    await provider.requests()
    const session = mcpSession(client, url, documents.clientId)
    await expect(session.connect()).rejects.toThrow(/unauthorized/i)
    expect(session.store.sent[0]?.searchParams.get('client_id')).toBe(documents.clientId)
    await session.authorize()
    await session.connect()
    expect(await session.call('read_file')).toBe('read_file for u1')
    await session.close()
    expect(await provider.requests()).not.toContain('/reg')
    expect(documents.fetched()).toBeGreaterThan(0)
  })
})
