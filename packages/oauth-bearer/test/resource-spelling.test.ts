import { explainToken } from '@countersign/oauth-bearer/explain'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type Harness, type HarnessOptions, oauthApp } from './harness.js'
import { addIntrospection, type Introspector } from './introspector.js'

let app: Harness
afterEach(() => app.stop())

const outcomeOf = async (aud: unknown) => {
  const { status } = await app.get(await app.token({ claims: { aud } }))
  return `${status} ${app.last()}`
}
const start = async (options: HarnessOptions) => {
  app = await oauthApp({ ...options, routes: (routes, gate) => routes.use(gate.metadata()) })
}

describe('a resource at the root of a host', () => {
  test.each(['https://mcp.example.com', 'https://mcp.example.com/'])(
    '[oauth-resource-spelling] %s is one resource with and without the slash, and nothing else is',
    async (resource) => {
      await start({ resource })
      for (const aud of [
        'https://mcp.example.com',
        'https://mcp.example.com/',
        ['https://other.example.com', 'https://mcp.example.com/'],
      ]) {
        expect(await outcomeOf(aud)).toBe('200 granted')
      }
      for (const aud of [
        'https://mcp.example.com//',
        'https://mcp.example.com/mcp',
        'https://mcp.example.com/?',
        'https://mcp.example.com#',
        'https://mcp.example.com:443',
        'https://mcp.example.com:8443/',
        'https://mcp.example.com./',
        'https://MCP.example.com/',
        'https://mcp.example.co',
        'https://mcp.example.com.evil.example/',
        'http://mcp.example.com/',
        'mcp.example.com',
        '/',
        ['https://mcp.example.com/x', '/'],
      ]) {
        expect(await outcomeOf(aud)).toBe('401 wrong_audience')
      }
      expect(app.events.at(-1)?.attributes?.expected_audiences).toBe(
        resource.endsWith('/') ? `${resource} ${resource.slice(0, -1)}` : `${resource} ${resource}/`,
      )
    },
  )

  test.each(['https://mcp.example.com', 'https://mcp.example.com/'])(
    '[oauth-resource-spelling] metadata and challenges of %s stay as configured',
    async (resource) => {
      await start({ resource })
      const { json } = await app.get(undefined, '/.well-known/oauth-protected-resource')
      expect(json.resource).toBe(resource)
      expect((await app.get()).headers.get('www-authenticate')).toBe(
        'Bearer realm="mcp.example.com", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource"',
      )
    },
  )

  test('[oauth-resource-spelling] an audience that is configured is exact', async () => {
    await start({ resource: 'https://mcp.example.com', audience: 'https://mcp.example.com' })
    expect(await outcomeOf('https://mcp.example.com')).toBe('200 granted')
    expect(await outcomeOf('https://mcp.example.com/')).toBe('401 wrong_audience')
    await app.stop()
    app = await oauthApp(({ url }) => ({
      resource: 'https://mcp.example.com',
      issuer: { issuer: url, audience: 'https://mcp.example.com/' },
    }))
    expect(await outcomeOf('https://mcp.example.com/')).toBe('200 granted')
    expect(await outcomeOf('https://mcp.example.com')).toBe('401 wrong_audience')
  })

  test('[oauth-resource-spelling] introspection that names either spelling is for this resource', async () => {
    let endpoint: Introspector | undefined
    app = await oauthApp((issuer) => {
      endpoint = addIntrospection(issuer)
      return {
        resource: 'https://mcp.example.com',
        issuer: { issuer: issuer.url, introspection: { clientId: 'c', clientSecret: 's' } },
      }
    })
    const answer = { active: true, sub: 'u1', client_id: 'c1', exp: 9_999_999_999 }
    endpoint?.tokens.set('slash', { ...answer, aud: 'https://mcp.example.com/' })
    endpoint?.tokens.set('bare', { ...answer, aud: 'https://mcp.example.com' })
    endpoint?.tokens.set('path', { ...answer, aud: 'https://mcp.example.com/mcp' })
    const statuses = await Promise.all(['slash', 'bare', 'path'].map(async (token) => (await app.get(token)).status))
    expect(statuses).toEqual([200, 200, 401])
  })

  test('[oauth-resource-spelling] explainToken decides as the gate does', async () => {
    await start({ resource: 'https://mcp.example.com' })
    const token = await app.token({ claims: { aud: 'https://mcp.example.com/' } })
    const { verdict } = await explainToken(token, {
      resource: 'https://mcp.example.com',
      issuer: app.issuer.url,
      clock: app.clock,
    })
    expect(verdict.outcome).toBe('granted')
  })
})

test('[oauth-resource-spelling] a resource is also what a URL parser makes of it, as clients that parse it ask for that', async () => {
  await start({ resource: 'https://MCP.example.com:443/Files' })
  expect(await outcomeOf('https://MCP.example.com:443/Files')).toBe('200 granted')
  expect(await outcomeOf('https://mcp.example.com/Files')).toBe('200 granted')
  expect(await outcomeOf('https://mcp.example.com/Files/')).toBe('401 wrong_audience')
  expect(await outcomeOf('https://mcp.example.com/files')).toBe('401 wrong_audience')
  expect(await outcomeOf('https://mcp.example.com')).toBe('401 wrong_audience')
})
