import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { IssuerOptions } from '@countersign/oauth-bearer'
import { afterEach, describe, expect, test } from '@jest/globals'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import express from 'express'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { type Harness, oauthApp } from './harness.js'
import { auth0 } from './recipes/auth0.js'
import { cognito } from './recipes/cognito.js'
import { entra } from './recipes/entra.js'
import { createApp } from './recipes/hosted-mcp-server.js'
import { keycloak } from './recipes/keycloak.js'
import { toolScopes } from './recipes/tool-scopes.js'
import { workos } from './recipes/workos.js'
import { makeKey, signToken, startIssuer, type TokenParts } from './test-issuer.js'
import { wire } from './wire.js'

const here = dirname(fileURLToPath(import.meta.url))
const guides = join(here, '..', '..', '..', 'docs', 'guides')

let app: Harness | undefined
let server: RunningServer | undefined
afterEach(async () => {
  await app?.stop()
  await server?.close()
  app = server = undefined
})

/** What access tokens of these issuers look like, in what they differ from those of RFC 9068. */
const SHAPES: Record<string, { recipe: IssuerOptions; good: TokenParts; principal: object; bad: TokenParts[] }> = {
  auth0: {
    recipe: auth0,
    good: {
      header: { typ: 'JWT' },
      claims: {
        sub: 'auth0|u1',
        client_id: undefined,
        azp: 'c1',
        jti: undefined,
        aud: ['https://mcp.example.com/mcp', 'https://example.eu.auth0.com/userinfo'],
        scope: 'openid profile',
        permissions: ['read:files'],
      },
    },
    principal: { subject: 'auth0|u1', clientId: 'c1', scopes: ['openid', 'profile', 'read:files'] },
    // An ID token: its audience is the client.
    bad: [{ header: { typ: 'JWT' }, claims: { aud: 'c1', nonce: 'n' } }],
  },
  workos: {
    recipe: workos,
    good: {
      header: { typ: undefined },
      claims: { client_id: undefined, org_id: 'org_1', sid: 's1', scope: undefined },
    },
    principal: { subject: 'u1', claims: { organizationId: 'org_1', sessionId: 's1' } },
    bad: [{ header: { typ: undefined }, claims: { aud: 'client_1' } }],
  },
  keycloak: {
    recipe: keycloak,
    good: {
      header: { typ: 'JWT' },
      claims: {
        typ: 'Bearer',
        azp: 'c1',
        client_id: undefined,
        aud: ['account', 'https://mcp.example.com/mcp'],
        preferred_username: 'user',
        realm_access: { roles: ['editor'] },
        scope: 'profile email',
      },
    },
    principal: { clientId: 'c1', claims: { username: 'user', roles: { roles: ['editor'] } } },
    bad: [
      { header: { typ: 'JWT' }, claims: { typ: 'Bearer', aud: 'account' } },
      { header: { typ: 'JWT' }, claims: { typ: 'ID' } },
      { header: { typ: 'JWT' }, claims: { typ: 'Refresh' } },
    ],
  },
  entra: {
    recipe: entra,
    good: {
      header: { typ: 'JWT', x5t: 'a-thumbprint' },
      claims: {
        aud: '66666666-7777-8888-9999-000000000000',
        azp: 'c1',
        client_id: undefined,
        jti: undefined,
        scope: undefined,
        scp: 'Files.Read Files.Write',
        oid: 'o1',
        tid: 't1',
        ver: '2.0',
      },
    },
    principal: { clientId: 'c1', scopes: ['Files.Read', 'Files.Write'], claims: { objectId: 'o1', tenantId: 't1' } },
    bad: [
      // A token for Microsoft's own API.
      { header: { typ: 'JWT' }, claims: { azp: 'c1', aud: '00000003-0000-0000-c000-000000000000' } },
      // An ID token of the same application, asked for without a nonce.
      {
        header: { typ: 'JWT' },
        claims: { aud: '66666666-7777-8888-9999-000000000000', client_id: undefined, scope: undefined, ver: '2.0' },
      },
    ],
  },
  cognito: {
    recipe: cognito,
    good: {
      header: { typ: undefined },
      claims: {
        aud: undefined,
        client_id: '4example0client0id',
        token_use: 'access',
        username: 'user',
        'cognito:groups': ['editors'],
        scope: 'files/read files/write',
      },
    },
    principal: { scopes: ['files/read', 'files/write'], claims: { username: 'user', groups: ['editors'] } },
    bad: [
      { header: { typ: undefined }, claims: { aud: '4example0client0id', token_use: 'id', client_id: undefined } },
      { header: { typ: undefined }, claims: { aud: undefined, client_id: 'another', token_use: 'access' } },
      { header: { typ: undefined }, claims: { aud: 'https://other.example.com', token_use: 'access' } },
    ],
  },
}

describe('recipes', () => {
  test.each(Object.keys(SHAPES))(
    '[oauth-recipes] the one for %s accepts its access tokens and none of its other tokens',
    async (name) => {
      const { recipe, good, principal, bad } = SHAPES[name] as (typeof SHAPES)[string]
      // The recipe as it stands, at an issuer that answers here.
      const running = await oauthApp(({ url }) => ({ issuer: { ...recipe, issuer: url } }))
      app = running
      const { status, json } = await running.get(await running.token(good))
      expect(status).toBe(200)
      expect(json.principal).toMatchObject(principal)
      for (const parts of bad) expect((await running.get(await running.token(parts))).status).toBe(401)
    },
  )

  test('[oauth-recipes] the guides show the recipes that are compiled and tried here, word for word', () => {
    const text = ['oauth-bearer.md', 'hosted-mcp-server.md']
      .map((name) => readFileSync(join(guides, name), 'utf8'))
      .join('\n')
    for (const name of readdirSync(join(here, 'recipes'))) {
      const recipe = readFileSync(join(here, 'recipes', name), 'utf8')
      expect([name, text.includes(`\`\`\`ts\n${recipe}\`\`\``)]).toEqual([name, true])
    }
  })

  test('[oauth-recipes] the hosted MCP server serves a client, and tells other clients where to authorize', async () => {
    const key = await makeKey('k1')
    const issuer = await startIssuer(key)
    const outer = express()
    server = await serve(outer)
    outer.use(createApp(server.url, issuer.url))
    const resource = `${server.url}/mcp`
    const refused = await fetch(resource, { method: 'POST' })
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toBe(
      `Bearer realm="${new URL(resource).host}", scope="mcp", ` +
        `resource_metadata="${server.url}/.well-known/oauth-protected-resource/mcp"`,
    )
    const token = await signToken(
      key,
      { issuer: issuer.url, audience: resource, now: Date.now() },
      { claims: { scope: 'mcp' } },
    )
    const transport = new StreamableHTTPClientTransport(new URL(resource), {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    })
    const client = new Client({ name: 'test', version: '1.0.0' })
    await client.connect(transport)
    expect(await client.callTool({ name: 'whoami', arguments: {} })).toMatchObject({
      content: [{ type: 'text', text: 'u1' }],
    })
    await client.close()
    await issuer.close()
  })

  test('[oauth-recipes] tools can need more scopes, and each message of a batch counts', async () => {
    const running = await oauthApp({
      routes: (routes, gate) => {
        const scopes = toolScopes(gate, { write_file: 'files:write', admin: 'files:admin' })
        routes.post('/mcp', express.json(), gate, scopes, (_request, response) => void response.json({}))
      },
    })
    app = running
    const call = async (scope: string, body: unknown, type = 'application/json') => {
      const { status, headers } = await wire(running.port, {
        method: 'POST',
        path: '/mcp',
        headers: {
          authorization: `Bearer ${await running.token({ claims: { scope } })}`,
          'content-type': type,
        },
        body: JSON.stringify(body),
      })
      return `${status} ${/scope="([^"]*)"/.exec(String(headers['www-authenticate']))?.[1] ?? ''}`.trim()
    }
    const toolCall = (name: unknown) => ({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } })
    expect(await call('files:read', toolCall('read_file'))).toBe('200')
    expect(await call('files:read', toolCall('write_file'))).toBe('403 files:write')
    expect(await call('files:write', toolCall('write_file'))).toBe('200')
    expect(await call('files:write', [toolCall('write_file'), toolCall('admin')])).toBe('403 files:admin files:write')
    expect(await call('files:read', toolCall('__proto__'))).toBe('200')
    expect(await call('files:read', toolCall(['write_file']))).toBe('200')
    expect(await call('files:read', { method: 'ping' })).toBe('200')
    // Express reads no JSON in it, and version 1 of the SDK would.
    expect(await call('files:read', toolCall('write_file'), 'text/plain; a=application/json')).toBe('415')
  })
})
