import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { messageFrom } from '../../../test/support/child-messages.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import type { Answer } from './oauth-client-process.js'
import { type RealProvider, startProvider } from './provider.js'

let provider: RealProvider
let server: RunningServer
beforeAll(async () => {
  provider = await startProvider()
}, 30_000)
afterAll(() => provider.stop())
afterEach(() => server.close())

interface Told {
  readonly metadata: { readonly resource: string; readonly authorization_servers: readonly string[] }
  readonly seen: readonly Answer[]
}

/** Runs a client as a process of its own, and waits for what it saw. */
async function runClient(library: string, api: string): Promise<Told> {
  const file = fileURLToPath(new URL('./oauth-client-process.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=dev-source', '--import', 'tsx', file], {
    env: { ...process.env, NODE_OPTIONS: '', LIBRARY: library, API: api },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  try {
    return await messageFrom(child, (message) => message as unknown as Told)
  } finally {
    child.kill('SIGKILL')
  }
}

test.each([
  ['oauth4webapi', ''],
  ['oauth4webapi', '/'],
  ['oauth4webapi', '/api'],
  ['openid-client', ''],
  ['openid-client', '/api'],
])(
  '[oauth-real-clients] %s in its own process reads, and writes after a step-up; resource: origin and %j',
  async (library, path) => {
    const app = express()
    server = await serve(app)
    const api = `${server.url}${path}`
    const { audit, reasons } = recordedAudit()
    const oauth = requireOAuthBearer({ resource: api, issuer: provider.issuer, scopes: ['files:read'], audit })
    const ok: RequestHandler = (_request, response) => void response.json({})
    app.use(oauth.metadata())
    app.get(path || '/', oauth, ok)
    app.post(path || '/', oauth.scopes('files:write'), ok)

    const { metadata, seen } = await runClient(library, api)
    expect(metadata).toMatchObject({ resource: api, authorization_servers: [provider.issuer] })
    const place = `${server.url}/.well-known/oauth-protected-resource${path === '/' ? '' : path}`
    const challenge = { realm: new URL(api).host, resource_metadata: place }
    expect(seen).toEqual([
      { status: 401 },
      { status: 200 },
      {
        status: 403,
        challenge: {
          ...challenge,
          error: 'insufficient_scope',
          error_description: 'The access token lacks a scope that is needed here',
          scope: 'files:read files:write',
        },
      },
      { status: 200 },
      {
        status: 401,
        challenge: {
          ...challenge,
          error: 'invalid_token',
          error_description: 'The access token is not valid for this resource',
          scope: 'files:read',
        },
      },
    ])
    expect(reasons()).toEqual(['missing', undefined, 'insufficient_scope', undefined, 'malformed_token'])
  },
  60_000,
)
