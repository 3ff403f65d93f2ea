import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { forge, parts } from './forge.js'
import { type Harness, oauthApp } from './harness.js'

let app: Harness
beforeAll(async () => {
  app = await oauthApp()
})
afterAll(() => app.stop())

const RESOURCE = 'https://mcp.example.com/mcp'

describe('audiences', () => {
  test.each([[RESOURCE], [[RESOURCE]], [['https://other.example.com', RESOURCE]]])(
    'a token for this resource is accepted: aud %j',
    async (aud) => {
      expect((await app.get(await app.token({ claims: { aud } }))).status).toBe(200)
    },
  )

  test.each([
    'https://mcp.example.com/mcp/',
    'https://mcp.example.com',
    'https://mcp.example.com/',
    'https://mcp.example.com/MCP',
    'https://MCP.example.com/mcp',
    'HTTPS://mcp.example.com/mcp',
    'http://mcp.example.com/mcp',
    'https://mcp.example.com:443/mcp',
    'https://mcp.example.com/mcp?x=1',
    'https://mcp.example.com/mcp#x',
    'https://mcp.example.com/mcp%2f',
    'https://mcp.example.com//mcp',
    'https://mcp.example.com.evil.example/mcp',
    'https://evil.example/https://mcp.example.com/mcp',
    ' https://mcp.example.com/mcp',
    'https://mcp.example.com/mcp ',
    'https://mcp.example.com/mcp\u0000',
    'https://mcp.example.com/mc',
    'https://mcp.example.com/mcpx',
    '*',
    ['https://mcp.example.com/mc', 'p'],
    ['https://mcp.example.com/mcp,https://other.example.com'],
    [],
  ])('[oauth-near-misses] aud %j is another resource', async (aud) => {
    expect((await app.get(await app.token({ claims: { aud } }))).status).toBe(401)
    expect(app.last()).toBe('wrong_audience')
  })

  test.each([
    [[RESOURCE, 1], 'wrong_audience'],
    [[[RESOURCE]], 'wrong_audience'],
    [{ [RESOURCE]: true }, 'wrong_audience'],
    [true, 'wrong_audience'],
    [undefined, 'missing_claim'],
    [null, 'missing_claim'],
    ['', 'missing_claim'],
  ])('[oauth-near-misses] aud %j is not an audience', async (aud, reason) => {
    expect((await app.get(await app.token({ claims: { aud } }))).status).toBe(401)
    expect(app.last()).toBe(reason)
  })
})

describe('issuers', () => {
  test.each([
    (issuer: string) => `${issuer}/`,
    (issuer: string) => issuer.toUpperCase(),
    (issuer: string) => issuer.replace('http:', 'https:'),
    (issuer: string) => issuer.replace('127.0.0.1', 'localhost'),
    (issuer: string) => `${issuer}/tenant`,
    (issuer: string) => `${issuer}?tenant`,
    (issuer: string) => `${issuer} `,
    (issuer: string) => ` ${issuer}`,
    (issuer: string) => issuer.slice(0, -1),
    (issuer: string) => `${issuer}0`,
    () => 'https://accounts.example.com',
    () => '',
  ])('[oauth-near-misses] an issuer that is nearly the configured one is not accepted: %s', async (near) => {
    const iss = near(app.issuer.url)
    expect((await app.get(await app.token({ claims: { iss } }))).status).toBe(401)
    expect(app.last()).toBe('wrong_issuer')
  })

  test('[oauth-near-misses] an issuer that is not a string is not accepted', async () => {
    const { header, claims } = parts(await app.token())
    for (const iss of [[app.issuer.url], { iss: app.issuer.url }, null, 1, undefined]) {
      expect((await app.get(forge(header, { ...claims, iss }))).status).toBe(401)
      expect(app.last()).toBe('wrong_issuer')
    }
  })
})
