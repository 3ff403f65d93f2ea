import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type AgentClient,
  createMcpCredentials,
  discoveryGuard,
  type IssuedCredential,
  readCredentialFile,
  toClientConfig,
  writeCredentialFile,
} from '@countersign/mcp-credential'
import { writePrivateFile } from '@countersign/mcp-credential/private-file'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import express from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { serve } from '../../../test/support/http-server.js'
import { agent, send } from './harness.js'

const folder = mkdtempSync(join(tmpdir(), 'countersign-clients-'))
const file = join(folder, 'credential.json')
const options = { url: 'https://app.example.com/mcp', serverName: 'app' }
const credentials = createMcpCredentials({ audit: recordedAudit().audit })
let issued: IssuedCredential
beforeAll(async () => {
  issued = await credentials.issue(agent)
})
afterAll(async () => {
  await credentials.close()
  rmSync(folder, { recursive: true, force: true })
})

const url = options.url
const written: readonly [AgentClient, string, string, string][] = [
  [
    'claude-code',
    '.mcp.json',
    'json',
    `{"mcpServers":{"app":{"type":"http","url":"${url}","headers":{"Authorization":"Bearer \${MCP_CRED_APP}"}}}}`,
  ],
  ['codex', '.codex/config.toml', 'toml', `[mcp_servers.app]\nurl = "${url}"\nbearer_token_env_var = "MCP_CRED_APP"\n`],
  [
    'cursor',
    '.cursor/mcp.json',
    'json',
    `{"mcpServers":{"app":{"url":"${url}","headers":{"Authorization":"Bearer \${env:MCP_CRED_APP}"}}}}`,
  ],
  [
    'opencode',
    'opencode.json',
    'json',
    `{"$schema":"https://opencode.ai/config.json","mcp":{"servers":{"app":{"type":"remote","url":"${url}","oauth":false,"headers":{"Authorization":"Bearer {env:MCP_CRED_APP}"}}}}}`,
  ],
  [
    'gemini',
    '.gemini/settings.json',
    'json',
    `{"mcpServers":{"app":{"httpUrl":"${url}","headers":{"Authorization":"Bearer \${MCP_CRED_APP}"}}}}`,
  ],
]

test.each(written)(
  '%s gets %s with a reference to the environment, not with the token',
  (client, path, format, text) => {
    const config = toClientConfig(issued, client, options)
    expect([config.path, config.format]).toEqual([path, format])
    expect(format === 'json' ? JSON.stringify(JSON.parse(config.text)) : config.text).toBe(text)
    expect(config.env).toEqual({ MCP_CRED_APP: issued.token })
    expect(JSON.stringify([config.config, config.text])).not.toContain(issued.token)
  },
)

test('the place of each text is said: in the project, or at home', () => {
  const place = (client: AgentClient) => toClientConfig(issued, client, options).folder
  const clients: AgentClient[] = ['claude-code', 'cursor', 'opencode', 'gemini', 'codex', 'acp', 'sdk']
  expect(clients.map(place)).toEqual(['project', 'project', 'project', 'project', 'home', undefined, undefined])
})

test('two servers that would share an environment variable are refused, and a variable that is named is the app’s', () => {
  const config = (serverName: string, more: object = {}) =>
    toClientConfig(issued, 'claude-code', { url, serverName, ...more })
  expect(config('my-app').env).toEqual({ MCP_CRED_MY_APP: issued.token })
  expect(config('my-app').env).toEqual({ MCP_CRED_MY_APP: issued.token })
  for (const other of ['my_app', 'MY-APP', 'My_App']) {
    expect(() => config(other)).toThrow(
      `toClientConfig: the servers my-app and ${other} would share the environment variable MCP_CRED_MY_APP. ` +
        'Name them differently, or give "envName"',
    )
  }
  expect(() => config('other', { envName: 'MCP_CRED_MY_APP' })).toThrow('would share')
  expect(config('my_app', { envName: 'MY_APP_TOKEN' }).env).toEqual({ MY_APP_TOKEN: issued.token })
  expect(config('third', { envName: 'MY_APP_TOKEN' }).env).toEqual({ MY_APP_TOKEN: issued.token })
  // What needs no variable shares none.
  expect(config('my_app', { file: '/run/app/credential.json' }).env).toEqual({})
  expect(toClientConfig(issued, 'acp', { url, serverName: 'my_app' }).env).toEqual({})
})

test('acp and sdk get the header in memory, and nothing to write', () => {
  const header = issued.authorizationHeader
  expect(toClientConfig(issued, 'acp', options)).toEqual({
    path: undefined,
    folder: undefined,
    format: 'object',
    config: { mcpServers: [{ type: 'http', name: 'app', url, headers: [{ name: 'Authorization', value: header }] }] },
    text: '',
    env: {},
  })
  expect(toClientConfig(issued, 'sdk', options).config).toEqual({
    url,
    requestInit: { headers: { Authorization: header } },
  })
})

test('with a file, Claude Code and Codex ask a helper; the others cannot', () => {
  const claude = toClientConfig(issued, 'claude-code', { ...options, file })
  expect(claude.config).toEqual({
    mcpServers: { app: { type: 'http', url, headersHelper: `countersign mcp print --file "${file}"` } },
  })
  const codex = toClientConfig(issued, 'codex', { ...options, file, helper: 'npx countersign mcp print' })
  expect(codex.text).toBe(
    `[mcp_servers.app]\nurl = "${url}"\nhttp_headers_helper = "npx countersign mcp print --file \\"${file}\\""\n`,
  )
  expect([claude.env, codex.env]).toEqual([{}, {}])
  expect(JSON.stringify([claude, codex])).not.toContain(issued.token)
  expect(() => toClientConfig(issued, 'cursor', { ...options, file })).toThrow('claude-code and codex')
})

test('a wrong name, URL, path or client throws', () => {
  const wrong = (more: object, client = 'codex') =>
    expect(() => toClientConfig(issued, client as AgentClient, { ...options, ...more }))
  wrong({ url: 'file:///etc/passwd' }).toThrow('"url"')
  wrong({ url: 'https://user:secret@app.example.com' }).toThrow('"url"')
  wrong({ serverName: 'a"b' }).toThrow('"serverName"')
  wrong({ envName: 'a=b' }).toThrow('"envName"')
  wrong({ file: '/tmp/$(reboot)' }).toThrow('"file"')
  wrong({}, '__proto__').toThrow('the client must be one of claude-code, codex')
})

test('a credential file is private, replaced in one step, and read back as headers', async () => {
  await writeCredentialFile(file, issued)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(await readCredentialFile(file)).toEqual({ Authorization: issued.authorizationHeader })
  const next = await credentials.issue({ ...agent, overlapSeconds: 60 })
  let isWriting = true
  const reading = (async () => {
    let reads = 0
    while (isWriting || reads < 20) {
      const { Authorization } = await readCredentialFile(file)
      expect([issued.authorizationHeader, next.authorizationHeader]).toContain(Authorization)
      reads += 1
    }
    return reads
  })()
  for (let round = 0; round < 30; round += 1) await writeCredentialFile(file, round % 2 === 0 ? issued : next)
  isWriting = false
  expect(await reading).toBeGreaterThanOrEqual(20)
  expect(await readCredentialFile(file)).toEqual({ Authorization: next.authorizationHeader })
  expect(readdirSync(folder)).toEqual(['credential.json'])
})

test('a private file keeps the mode of an existing one only when asked to, and the old text when writing fails', async () => {
  const own = join(folder, 'private')
  await writePrivateFile(own, 'first')
  chmodSync(own, 0o640)
  await writePrivateFile(own, ['sec', 'ond'], { keepMode: true })
  expect([readFileSync(own, 'utf8'), statSync(own).mode & 0o777]).toEqual(['second', 0o640])
  await writePrivateFile(own, 'third', { last: () => ' and last' })
  expect([readFileSync(own, 'utf8'), statSync(own).mode & 0o777]).toEqual(['third and last', 0o600])
  const failing = writePrivateFile(own, 'fourth', {
    last: () => {
      throw new Error('no more')
    },
  })
  await expect(failing).rejects.toThrow('no more')
  expect(readFileSync(own, 'utf8')).toBe('third and last')
  rmSync(own)
  expect(readdirSync(folder)).toEqual(['credential.json'])
})

test('a file that writeCredentialFile did not write is refused without quoting it', async () => {
  const other = join(folder, 'other.json')
  for (const text of ['', '{"version":2}', `{"secret":"${issued.token}"`, 'null']) {
    writeFileSync(other, text)
    const error = await readCredentialFile(other).catch((one: Error & { code?: string }) => one)
    expect(error).toMatchObject({ code: 'ERR_COUNTERSIGN_CREDENTIAL_FILE' })
    expect(String((error as Error).stack)).not.toContain(issued.token)
  }
  expect(readFileSync(other, 'utf8')).toBe('null')
  rmSync(other)
})

test('discoveryGuard answers the probes for OAuth metadata with a JSON 404, and nothing else', async () => {
  const app = express()
  app.use(discoveryGuard())
  app.use((_request, response) => void response.type('html').send('<html></html>'))
  const running = await serve(app)
  const probes = [
    '/.well-known/oauth-protected-resource',
    '/.well-known/oauth-protected-resource/mcp',
    '/.well-known/oauth-authorization-server',
    '/.well-known/openid-configuration',
    '/mcp/.well-known/openid-configuration',
  ]
  for (const path of probes) {
    const answer = await send(running.port, {}, undefined, 'GET', path)
    expect([path, answer.status, answer.headers['content-type']]).toEqual([
      path,
      404,
      'application/json; charset=utf-8',
    ])
    expect(JSON.parse(answer.text).error).toBe('not_found')
  }
  for (const path of ['/mcp', '/.well-known/security.txt', '/.well-known/oauth-protected-resources']) {
    expect((await send(running.port, {}, undefined, 'GET', path)).status).toBe(200)
  }
  await running.close()
})
