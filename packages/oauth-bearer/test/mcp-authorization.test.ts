import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { afterEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import { type Harness, oauthApp, RESOURCE } from './harness.js'
import { wire } from './wire.js'

const METADATA = 'https://mcp.example.com/.well-known/oauth-protected-resource/mcp'
let app: Harness
let running: Harness | undefined
afterEach(async () => {
  await running?.stop()
  running = undefined
})

/** An MCP server as the specification has it: a scope for all requests, and one more for an operation. */
async function start(): Promise<void> {
  running = app = await oauthApp({
    scopes: ['mcp'],
    scopeImplies: { 'files:admin': ['files:write', 'files:read'] },
    routes: (routes, gate) => {
      routes.use(gate.metadata(), express.urlencoded())
      routes.all('/write', gate.scopes('files:write', 'files:read'), (_request, response) => void response.json({}))
    },
  })
}

const tokenWith = (scope: string, claims: Record<string, unknown> = {}) => app.token({ claims: { scope, ...claims } })
const challengeOf = (headers: Headers) => {
  const field = headers.get('www-authenticate') ?? ''
  expect(field).toMatch(/^Bearer /)
  return Object.fromEntries([...field.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]))
}

describe("an MCP server's part of MCP's authorization, revisions 2026-07-28 and 2025-11-25", () => {
  test('[mcp-auth-metadata] its metadata names at least one authorization server, at the path and at the root', async () => {
    await start()
    for (const path of [new URL(METADATA).pathname, '/.well-known/oauth-protected-resource']) {
      const { status, json } = await app.get(undefined, path)
      expect(status).toBe(200)
      expect(json).toMatchObject({ resource: RESOURCE, authorization_servers: [app.issuer.url] })
    }
    expect(() => requireOAuthBearer({ resource: RESOURCE, issuer: [] })).toThrow(/"issuer"/)
  })

  test('[mcp-auth-challenge] a 401 has resource_metadata, and the scopes that this request needs', async () => {
    await start()
    expect(challengeOf((await app.get()).headers)).toEqual({
      realm: 'mcp.example.com',
      scope: 'mcp',
      resource_metadata: METADATA,
    })
    expect(challengeOf((await app.get(undefined, '/write')).headers).scope).toBe('mcp files:write files:read')
    expect(challengeOf((await app.get('garbage')).headers)).toMatchObject({
      error: 'invalid_token',
      scope: 'mcp',
      resource_metadata: METADATA,
    })
  })

  test('[mcp-auth-insufficient-scope] a 403 has error, description, resource_metadata, and all scopes at once', async () => {
    await start()
    const { status, headers } = await app.get(await tokenWith('mcp'), '/write')
    expect(status).toBe(403)
    expect(challengeOf(headers)).toEqual({
      realm: 'mcp.example.com',
      error: 'insufficient_scope',
      error_description: 'The access token lacks a scope that is needed here',
      scope: 'mcp files:write files:read',
      resource_metadata: METADATA,
    })
  })

  test('[mcp-auth-status] 401 for no, an invalid or an expired token, 403 for scopes, 400 for a malformed request', async () => {
    await start()
    const now = Math.floor(app.clock.now() / 1000)
    const statusOf = async (token: string | undefined, path = '/') => (await app.get(token, path)).status
    expect(await statusOf(undefined)).toBe(401)
    expect(await statusOf(`${await tokenWith('mcp')}x`)).toBe(401)
    expect(await statusOf(await tokenWith('mcp', { exp: now - 6 }))).toBe(401)
    expect(await statusOf(await tokenWith('mcp', { aud: 'https://other.example.com/mcp' }))).toBe(401)
    expect(await statusOf(await tokenWith('other'))).toBe(403)
    expect(await statusOf('Bearer a b')).toBe(400)
    expect(await statusOf(await tokenWith('mcp'))).toBe(200)
  })

  test('[mcp-auth-header-alone] a token is taken from Authorization alone, on every request', async () => {
    await start()
    const token = await tokenWith('mcp')
    const type = 'application/x-www-form-urlencoded'
    const query = await wire(app.port, { path: `/?access_token=${token}` })
    const form = await wire(app.port, {
      method: 'POST',
      headers: { 'content-type': type },
      body: `access_token=${token}`,
    })
    expect([query.status, form.status]).toEqual([400, 400])
    // A session that was authenticated once is not a session that stays so.
    const session = { 'mcp-session-id': 's1' }
    expect((await app.get(token, '/', session)).status).toBe(200)
    expect((await app.get(undefined, '/', session)).status).toBe(401)
  })

  test('[mcp-auth-offline-access] offline_access is in no challenge and in no metadata', async () => {
    const of = { resource: RESOURCE, issuer: 'https://auth.example.com' }
    expect(() => requireOAuthBearer({ ...of, scopes: ['offline_access'] })).toThrow(/offline_access/)
    const gate = requireOAuthBearer(of)
    expect(() => gate.scopes('offline_access')).toThrow(/offline_access/)
    expect(() => gate.metadata({ scopesSupported: ['offline_access'] })).toThrow(/offline_access/)
    await start()
    const { headers } = await app.get(await tokenWith('mcp offline_access'), '/write')
    expect(challengeOf(headers).scope).toBe('mcp files:write files:read')
  })

  test('[mcp-auth-scope-hierarchy] a broader scope is enough where it includes the narrower ones', async () => {
    await start()
    expect((await app.get(await tokenWith('mcp files:admin'), '/write')).status).toBe(200)
    expect((await app.get(await tokenWith('mcp files:write'), '/write')).status).toBe(403)
  })

  test('[mcp-auth-https] authorization servers and metadata are on https, or on this machine', () => {
    const of = { resource: RESOURCE, issuer: 'https://auth.example.com' }
    expect(() => requireOAuthBearer({ ...of, issuer: 'http://auth.example.com' })).toThrow(/https/)
    expect(() => requireOAuthBearer({ ...of, resource: 'http://mcp.example.com/mcp' })).toThrow(/https/)
    expect(() => requireOAuthBearer({ ...of, resourceMetadataUrl: 'http://mcp.example.com/x' })).toThrow(/https/)
    expect(() => requireOAuthBearer({ ...of, resource: 'https://mcp.example.com/mcp#x' })).toThrow(/fragment/)
    expect(() => requireOAuthBearer({ ...of, resource: 'mcp.example.com' })).toThrow(/https/)
    expect(() => requireOAuthBearer({ ...of, resource: 'https://MCP.example.com/mcp' })).not.toThrow()
  })
})
