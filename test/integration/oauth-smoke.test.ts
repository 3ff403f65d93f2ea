import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createAudit } from '@countersign/core'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createDemo } from '../../packages/demo/src/app.js'
import { type AuthorizationServer, startAuthorizationServer } from '../../packages/demo/src/authorization-server.js'
import { createState } from '../../packages/demo/src/state.js'
import { type RunningServer, serve } from '../support/http-server.js'

const BIN = fileURLToPath(new URL('../../packages/cli/src/bin.ts', import.meta.url))

let issuer: AuthorizationServer
let server: RunningServer
let close: () => void
beforeAll(async () => {
  issuer = await startAuthorizationServer()
  let app: ReturnType<typeof createDemo>['app'] | undefined
  server = await serve((request, response) => app?.(request, response))
  const state = await createState(undefined)
  const demo = createDemo({ baseUrl: server.url, issuer: issuer.issuer, state, audit: createAudit() })
  app = demo.app
  close = () => demo.close()
})
afterAll(async () => {
  close()
  await server.close()
  await issuer.close()
})

/** Runs `countersign oauth smoke` as a process of its own. */
async function smoke(path: string, scope: string, ...words: string[]) {
  const url = `${server.url}${path}`
  const { NODE_OPTIONS: _flags, ...env } = process.env
  const child = spawn(
    process.execPath,
    ['--conditions=dev-source', '--import', 'tsx', BIN, 'oauth', 'smoke', url, '--json', ...words],
    {
      env: { ...env, COUNTERSIGN_TOKEN: await issuer.accessToken(url, scope) },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const [exitCode] = (await once(child, 'close')) as [number]
  const { checks } = JSON.parse(output) as { checks: { id: string; status: string }[] }
  const found = (wanted: string) => checks.filter(({ status }) => status === wanted).map(({ id }) => id)
  return { exitCode, failed: found('fail'), warned: found('warn'), passed: found('pass') }
}

test("[cli-smoke-demo] a client's path to the demo's tools has no fault, in either era, beside the agents' own credentials", async () => {
  const { exitCode, failed, warned, passed } = await smoke('/mcp', 'mcp')
  expect({ exitCode, failed, warned }).toEqual({ exitCode: 0, failed: [], warned: ['server-registration'] })
  expect(passed).toEqual(
    expect.arrayContaining(['metadata-resource', 'initialize', 'initialize-tools', 'discover', 'discover-tools']),
  )
}, 60_000)

test("a token for another resource is distinguished from one for the demo's API", async () => {
  const api = await smoke('/api/files', 'files:read', '--api')
  // The token is for the path that was asked for, and the resource is its parent.
  expect(api).toMatchObject({ exitCode: 1, failed: ['token'] })
  expect(api.warned).toContain('metadata-resource')
}, 60_000)
