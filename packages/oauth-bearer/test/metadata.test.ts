import type { MetadataOptions } from '@countersign/oauth-bearer'
import { afterEach, describe, expect, test } from '@jest/globals'
import { Router } from 'express'
import { type Harness, type HarnessOptions, oauthApp } from './harness.js'
import { wire } from './wire.js'

let app: Harness
afterEach(() => app.stop())

const AT = '/.well-known/oauth-protected-resource'
const start = async (metadata: MetadataOptions = {}, options: HarnessOptions = {}) => {
  app = await oauthApp({
    ...options,
    routes: (routes, gate) => {
      routes.use(gate.metadata(metadata))
      routes.get('/files', gate.scopes('files:read'), (_request, response) => void response.end())
    },
  })
}

describe('metadata of RFC 9728', () => {
  test('is served at its path and at the root, with the resource byte for byte as configured', async () => {
    await start({ resourceName: 'Files', resourceDocumentation: 'https://docs.example.com/files' })
    for (const path of [`${AT}/mcp`, AT, `${AT}/mcp?x=1`]) {
      const { status, json, headers } = await app.get(undefined, path, {
        host: 'evil.example.com',
        'x-forwarded-host': 'evil.example.com',
        origin: 'https://client.example.com',
      })
      expect(status).toBe(200)
      expect(json).toEqual({
        resource: 'https://mcp.example.com/mcp',
        authorization_servers: [app.issuer.url],
        scopes_supported: ['files:read'],
        bearer_methods_supported: ['header'],
        resource_name: 'Files',
        resource_documentation: 'https://docs.example.com/files',
      })
      expect(headers.get('access-control-allow-origin')).toBe('*')
      expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
    }
    expect((await app.get(undefined, `${AT}/other`)).status).toBe(401)
    expect((await app.get(undefined, `${AT}/mcp/`)).status).toBe(401)
  })

  test.each([
    ['https://mcp.example.com', AT],
    ['https://mcp.example.com/', AT],
    ['https://mcp.example.com/a/b', `${AT}/a/b`],
    ['https://mcp.example.com/mcp/', `${AT}/mcp/`],
  ])('of %s is at %s', async (resource, path) => {
    await start({}, { resource })
    expect((await app.get(undefined, `${AT}/`)).json.resource).toBe(resource)
    const { json } = await app.get(undefined, path)
    expect(json.resource).toBe(resource)
    const challenge = (await app.get(undefined, '/files')).headers.get('www-authenticate')
    expect(challenge).toContain(`resource_metadata="https://mcp.example.com${path}"`)
  })

  describe('where challenges point', () => {
    const pointed = async (path: string) => {
      const { status, headers } = await app.get(undefined, path)
      expect(status).toBe(401)
      return /resource_metadata="([^"]*)"/.exec(headers.get('www-authenticate') ?? '')?.[1]
    }
    const mountedAt = async (path: string, resource: string, options: HarnessOptions = {}) => {
      app = await oauthApp({
        resource,
        ...options,
        routes: (routes, gate) => {
          const router = Router().use(gate.metadata())
          routes.use(path, router)
          options.routes?.(routes, gate)
        },
      })
    }

    test.each([
      ['/api', 'https://mcp.example.com/api/mcp', '/api/mcp', `/api${AT}`],
      ['/mcp', 'https://mcp.example.com/mcp', '/mcp', `/mcp${AT}`],
      ['/api', 'https://mcp.example.com/team/api/mcp', '/api/mcp', `/team/api${AT}`],
      ['/t/:tenant', 'https://mcp.example.com/t/one/mcp', '/t/one/mcp', `/t/one${AT}`],
    ])('[oauth-metadata-place] a router at %s of %s', async (path, resource, url, place) => {
      await mountedAt(path, resource)
      expect(await pointed(url)).toBe(`https://mcp.example.com${place}`)
      const served = place.slice(place.indexOf(path.replace(':tenant', 'one')))
      expect((await app.get(undefined, served)).json.resource).toBe(resource)
    })

    test('[oauth-metadata-place] what one request says is not in the challenges of others', async () => {
      await mountedAt('/:any', 'https://mcp.example.com/api/mcp')
      expect(await pointed('/evil/mcp')).toBe(`https://mcp.example.com${AT}/api/mcp`)
      expect(await pointed('/ap/mcp')).toBe(`https://mcp.example.com${AT}/api/mcp`)
      expect(await pointed('/api/mcp')).toBe(`https://mcp.example.com/api${AT}`)
      expect(await pointed('/mcp/mcp')).toBe(`https://mcp.example.com/api${AT}`)
    })

    test('[oauth-metadata-place] the root stands before a router', async () => {
      await mountedAt('/api', 'https://mcp.example.com/api/mcp', {
        routes: (routes, gate) => void routes.use(gate.metadata()),
      })
      await app.get(undefined, '/api')
      await app.get(undefined, AT)
      expect(await pointed('/api/mcp')).toBe(`https://mcp.example.com${AT}/api/mcp`)
    })

    test('[oauth-metadata-place] the place that is configured stands, and is served without what a proxy strips', async () => {
      const place = `https://mcp.example.com/team${AT}/mcp`
      app = await oauthApp({
        resource: 'https://mcp.example.com/team/mcp',
        resourceMetadataUrl: place,
        routes: (routes, gate) => void routes.use(gate.metadata()),
      })
      expect(await pointed('/mcp')).toBe(place)
      for (const path of [`${AT}/mcp`, `${AT}/team/mcp`, AT]) {
        expect((await app.get(undefined, path)).json.resource).toBe('https://mcp.example.com/team/mcp')
      }
      await app.stop()
      app = await oauthApp({
        resourceMetadataUrl: `https://elsewhere.example.com${AT}/files`,
        routes: (routes, gate) => void routes.use(gate.metadata()),
      })
      expect((await app.get(undefined, `${AT}/files`)).status).toBe(401)
    })
  })

  test('answers HEAD and OPTIONS, and 405 to other methods', async () => {
    await start()
    const head = await wire(app.port, { method: 'HEAD', path: AT })
    expect([head.status, head.text]).toEqual([200, ''])
    const options = await wire(app.port, {
      method: 'OPTIONS',
      path: AT,
      headers: { origin: 'https://a.example.com', 'access-control-request-headers': 'mcp-protocol-version' },
    })
    expect(options.status).toBe(204)
    expect(options.headers['access-control-allow-origin']).toBe('*')
    expect(options.headers['access-control-allow-methods']).toBe('GET, HEAD, OPTIONS')
    expect(options.headers['access-control-allow-headers']).toBe('*')
    const post = await wire(app.port, { method: 'POST', path: AT })
    expect([post.status, post.headers.allow]).toEqual([405, 'GET, HEAD, OPTIONS'])
  })

  test('lists all issuers, and the scopes that are given', async () => {
    app = await oauthApp(({ url }) => ({
      issuer: [url, 'https://auth.example.com'],
      routes: (routes, gate) => routes.use(gate.metadata({ scopesSupported: ['a', 'b'] })),
    }))
    expect((await app.get(undefined, AT)).json).toMatchObject({
      authorization_servers: [app.issuer.url, 'https://auth.example.com'],
      scopes_supported: ['a', 'b'],
    })
  })

  test('redirects to the authorization server only if configured', async () => {
    const path = '/.well-known/oauth-authorization-server'
    await start()
    expect((await app.get(undefined, path)).status).toBe(401)
    await app.stop()
    await start({ authorizationServerRedirect: true })
    for (const place of [path, `${path}/mcp`]) {
      const { status, headers } = await app.get(undefined, place)
      expect(status).toBe(302)
      expect(headers.get('location')).toBe(`${app.issuer.url}${path}`)
      expect(headers.get('access-control-allow-origin')).toBe('*')
    }
  })

  test('redirects to where the metadata was found, and to its usual place while it cannot be found', async () => {
    const path = '/.well-known/oauth-authorization-server'
    const openid = '/.well-known/openid-configuration'
    await start({ authorizationServerRedirect: true })
    const { issuer, clock } = app
    const gone = (place: string) => issuer.answer(place, (_request, response) => void response.writeHead(404).end())
    const location = async () => (await app.get(undefined, path)).headers.get('location')
    gone(path)
    expect(await location()).toBe(`${issuer.url}${path}`)
    // Strangers who ask for it do not make the gate ask each time.
    const asked = issuer.requests.length
    expect(await location()).toBe(`${issuer.url}${path}`)
    expect(issuer.requests).toHaveLength(asked)
    issuer.answer(openid, (_request, response) => void response.end(JSON.stringify({ issuer: issuer.url })))
    clock.advance(60_000)
    expect(await location()).toBe(`${issuer.url}${openid}`)
    gone(openid)
    clock.advance(3_600_001)
    expect(await location()).toBe(`${issuer.url}${openid}`)
  })
})
