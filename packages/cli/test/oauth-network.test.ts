import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { type TestIssuer, testIssuer } from '../../../test/support/test-issuer.js'
import { startProxy } from '../../oauth-bearer/test/connect-proxy.js'
import { countersign } from './command.js'

const NAME = 'https://login.example.test'
const AUDIENCE = 'https://api.example.com'

let issuer: TestIssuer
let inside: RunningServer
let origin: string
beforeAll(async () => {
  issuer = await testIssuer({ algorithm: 'ES256', resource: AUDIENCE })
  const keys = await (await fetch(`${issuer.url}/jwks`)).text()
  inside = await serve((request, response) => {
    response.setHeader('content-type', 'application/json')
    const metadata = { issuer: NAME, jwks_uri: `${origin}/jwks` }
    response.end(request.url === '/jwks' ? keys : JSON.stringify(metadata))
  })
  // Not loopback by name, and on this machine.
  origin = `http://0.0.0.0:${inside.port}`
})
afterAll(() => Promise.all([issuer.stop(), inside.close()]))

async function inspect(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const token = await issuer.token({ claims: { iss: NAME } })
  return countersign(['oauth', 'inspect', '--issuer', NAME, '--audience', AUDIENCE, ...words], { input: token, env })
}

describe('the network of the command', () => {
  test('inspect finds metadata and keys at an internal http origin, if it is allowed', async () => {
    const place = ['--metadata-url', `${origin}/metadata`]
    const refused = await inspect(place)
    expect(refused.exitCode).not.toBe(0)
    expect(refused.stderr).toContain('dangerouslyAllowHttp')
    const { exitCode, stdout } = await inspect([...place, '--allow-http', origin])
    expect(stdout).toContain('the issuer signed it (ES256)')
    expect(exitCode).toBe(0)
  })

  test('inspect and smoke go through the proxy of the environment', async () => {
    const proxy = await startProxy({})
    try {
      const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` }
      const { stderr } = await inspect(['--env-proxy'], env)
      expect(stderr).toContain('PROXY_502')
      const { exitCode } = await countersign(['oauth', 'smoke', 'https://mcp.example.test/mcp', '--env-proxy'], { env })
      expect(exitCode).not.toBe(0)
      expect(proxy.asked).toEqual(expect.arrayContaining(['login.example.test:443', 'mcp.example.test:443']))
      const before = proxy.asked.length
      await countersign(['oauth', 'smoke', 'https://127.0.0.1:1/mcp', '--env-proxy'], {
        env: { ...env, NO_PROXY: '127.0.0.1' },
      })
      expect(proxy.asked).toHaveLength(before)
    } finally {
      await proxy.close()
    }
  })
})
