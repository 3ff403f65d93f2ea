import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type AgentClient,
  createMcpCredentials,
  type IssuedCredential,
  readCredentialFile,
  toClientConfig,
  writeCredentialFile,
} from '@countersign/mcp-credential'
import { writePrivateFile } from '@countersign/mcp-credential/private-file'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { agent } from './harness.js'

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
const written: readonly [AgentClient, 'project' | 'home', string, string, string][] = [
  [
    'claude-code',
    'project',
    '.mcp.json',
    'json',
    `{"mcpServers":{"app":{"type":"http","url":"${url}","headers":{"Authorization":"Bearer \${MCP_CRED_APP}"}}}}`,
  ],
  [
    'codex',
    'home',
    '.codex/config.toml',
    'toml',
    `[mcp_servers.app]\nurl = "${url}"\nbearer_token_env_var = "MCP_CRED_APP"\n`,
  ],
  [
    'cursor',
    'project',
    '.cursor/mcp.json',
    'json',
    `{"mcpServers":{"app":{"url":"${url}","headers":{"Authorization":"Bearer \${env:MCP_CRED_APP}"}}}}`,
  ],
  [
    'opencode',
    'project',
    'opencode.json',
    'json',
    `{"$schema":"https://opencode.ai/config.json","mcp":{"servers":{"app":{"type":"remote","url":"${url}","oauth":false,"headers":{"Authorization":"Bearer {env:MCP_CRED_APP}"}}}}}`,
  ],
  [
    'gemini',
    'project',
    '.gemini/settings.json',
    'json',
    `{"mcpServers":{"app":{"httpUrl":"${url}","headers":{"Authorization":"Bearer \${MCP_CRED_APP}"}}}}`,
  ],
  [
    'qwen',
    'project',
    '.qwen/settings.json',
    'json',
    `{"mcpServers":{"app":{"httpUrl":"${url}","headers":{"Authorization":"Bearer \${MCP_CRED_APP}"}}}}`,
  ],
]

test.each(written)(
  '%s gets a text for its %s, %s, with a reference to the environment, not with the token',
  (client, place, path, format, text) => {
    const config = toClientConfig(issued, client, options)
    expect([config.folder, config.path, config.format, config.fileForm]).toEqual([place, path, format, undefined])
    expect(format === 'json' ? JSON.stringify(JSON.parse(config.text)) : config.text).toBe(text)
    expect(config.env).toEqual({ MCP_CRED_APP: issued.token })
    expect(JSON.stringify([config.config, config.text])).not.toContain(issued.token)
  },
)

test('acp and sdk get the header in memory, and nothing to write', () => {
  const header = issued.authorizationHeader
  expect(toClientConfig(issued, 'acp', options)).toEqual({
    path: undefined,
    folder: undefined,
    fileForm: undefined,
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

test('VS Code asks its user for the credential once, and keeps it: its environment holds none', () => {
  const config = toClientConfig(issued, 'vscode', options)
  expect([config.folder, config.path, config.env]).toEqual(['project', '.vscode/mcp.json', {}])
  expect(JSON.parse(config.text)).toEqual({
    inputs: [{ type: 'promptString', id: 'app-credential', description: 'The credential for app', password: true }],
    servers: { app: { type: 'http', url, headers: { Authorization: `Bearer \${input:app-credential}` } } },
  })
  // It asks for each server by itself: no two share what they are told, whatever variable their names would have.
  const inputs = ['my-app', 'my_app', 'MY_APP'].map((serverName) => {
    const { inputs } = toClientConfig(issued, 'vscode', { url, serverName }).config as { inputs: { id: string }[] }
    return inputs.map(({ id }) => id)
  })
  expect(inputs).toEqual([['my-app-credential'], ['my_app-credential'], ['MY_APP-credential']])
})

/** The helper that is a part of the package, as it is built. */
const helper = fileURLToPath(new URL('../dist/clients/print-credential.js', import.meta.url))
const command = (path: string) => `"${process.execPath}" "${helper}" --file "${path}"`

test('[mcp-private-file] with a file, no agent that can read one has the credential in its environment', () => {
  const configOf = (client: AgentClient, path = file) => toClientConfig(issued, client, { ...options, file: path })
  const forms = (['claude-code', 'codex', 'opencode'] as const).map((client) => configOf(client))
  const [claude, codex, opencode] = forms
  expect(claude?.config).toEqual({ mcpServers: { app: { type: 'http', url, headersHelper: command(file) } } })
  expect(codex?.text).toBe(
    `[mcp_servers.app]\nurl = "${url}"\nhttp_headers_helper = ${JSON.stringify(command(file))}\n`,
  )
  expect(opencode?.text).toContain(`"Authorization": "Bearer {file:${file}}"`)
  const dotenv = [configOf('gemini', join(folder, '.gemini/.env')), configOf('qwen', join(folder, '.qwen/.env'))]
  expect(dotenv.map(({ text }) => text.includes(`"Bearer \${MCP_CRED_APP}"`))).toEqual([true, true])
  const all = [...forms, ...dotenv]
  const form = { envName: 'MCP_CRED_APP' }
  expect(all.map(({ fileForm }) => fileForm)).toEqual(['headers', 'headers', 'token', form, form])
  expect(all.map(({ env }) => env)).toEqual([{}, {}, {}, {}, {}])
  expect(JSON.stringify(all)).not.toContain(issued.token)
  expect(() => configOf('cursor')).toThrow(
    '"file" is for claude-code, codex, opencode, gemini, qwen: cursor reads no file',
  )
  expect(() => configOf('gemini')).toThrow('the only "file" that gemini reads is the .env')
})

test('a relative path is resolved, and a helper of the app is taken as it is', () => {
  const claude = toClientConfig(issued, 'claude-code', { ...options, file: 'agents/one.json', helper: 'print-it' })
  expect(JSON.stringify(claude.config)).toContain(
    JSON.stringify(`print-it --file "${join(process.cwd(), 'agents/one.json')}"`).slice(1, -1),
  )
})

test('the helper prints the header of a file in a folder that was made for it, and never quotes another file', async () => {
  const made = join(folder, 'a folder', 'of one agent', 'credential.json')
  await writeCredentialFile(made, issued)
  expect([statSync(made).mode & 0o777, statSync(join(made, '..')).mode & 0o777]).toEqual([0o600, 0o700])
  const { config } = toClientConfig(issued, 'claude-code', { ...options, file: made })
  const { headersHelper } = (config as { mcpServers: { app: { headersHelper: string } } }).mcpServers.app
  // As agents do it, in a folder of their own, with nothing on their search path.
  const run = (line: string) => spawnSync('/bin/sh', ['-c', line], { cwd: '/', env: { PATH: '' }, encoding: 'utf8' })
  const printed = run(headersHelper)
  expect([printed.status, JSON.parse(printed.stdout)]).toEqual([0, { Authorization: issued.authorizationHeader }])
  for (const text of ['', 'null', `{"secret":"${issued.token}"`, `{"version":2,"headers":{"Authorization":"x"}}`]) {
    writeFileSync(made, text)
    const { status, stdout, stderr } = run(headersHelper)
    expect([status, stdout, stderr]).toEqual([1, '', expect.stringContaining(`${made}: it contains no credential`)])
    expect(stderr).not.toContain(issued.token)
  }
  rmSync(made)
  expect(run(headersHelper).stderr).toContain('it cannot be read (ENOENT)')
  expect(run(headersHelper.replace('--file', '--fill')).status).toBe(2)
  rmSync(join(folder, 'a folder'), { recursive: true })
})

test('each form of a file is what its reader wants; the other lines of a .env file stay', async () => {
  const dotenv = join(folder, '.gemini', '.env')
  mkdirSync(join(folder, '.gemini'))
  writeFileSync(dotenv, 'GEMINI_API_KEY=mine\nexport MCP_CRED_APP=old\nMCP_CRED_APP_2="two"\n')
  await writeCredentialFile(dotenv, issued, { envName: 'MCP_CRED_APP' })
  const others = 'GEMINI_API_KEY=mine\nMCP_CRED_APP_2="two"\n'
  expect(readFileSync(dotenv, 'utf8')).toBe(`${others}MCP_CRED_APP=${issued.token}\n`)
  await writeCredentialFile(dotenv, issued, { envName: 'MCP_CRED_APP' })
  expect(readFileSync(dotenv, 'utf8')).toBe(`${others}MCP_CRED_APP=${issued.token}\n`)
  expect(statSync(dotenv).mode & 0o777).toBe(0o600)
  const token = join(folder, 'token')
  await writeCredentialFile(token, issued, 'token')
  expect(readFileSync(token, 'utf8')).toBe(issued.token)
  rmSync(join(folder, '.gemini'), { recursive: true })
  rmSync(token)
})

test('two servers that would share an environment variable are refused, and a variable that is named is the app’s', () => {
  const config = (serverName: string, more: object = {}) =>
    toClientConfig(issued, 'claude-code', { url, serverName, ...more })
  expect(config('my-app').env).toEqual({ MCP_CRED_MY_APP: issued.token })
  expect(config('my-app').env).toEqual({ MCP_CRED_MY_APP: issued.token })
  for (const other of ['my_app', 'MY-APP', 'My_App']) {
    expect(() => config(other)).toThrow(
      `toClientConfig: the servers my-app and ${other} would share the environment variable MCP_CRED_MY_APP. ` +
        'Use different names, or set "envName"',
    )
  }
  expect(() => config('other', { envName: 'MCP_CRED_MY_APP' })).toThrow('would share')
  expect(config('my_app', { envName: 'MY_APP_TOKEN' }).env).toEqual({ MY_APP_TOKEN: issued.token })
  expect(config('third', { envName: 'MY_APP_TOKEN' }).env).toEqual({ MY_APP_TOKEN: issued.token })
  // What needs no variable shares none.
  expect(config('my_app', { file: '/run/app/credential.json' }).env).toEqual({})
  expect(toClientConfig(issued, 'acp', { url, serverName: 'my_app' }).env).toEqual({})
  // A variable in a file can be shared too.
  expect(() => toClientConfig(issued, 'gemini', { url, serverName: 'my_app', file: '/srv/.env' })).toThrow(
    'would share',
  )
})

test('a wrong name, URL, path or client throws', () => {
  const wrong = (more: object, client = 'codex') =>
    expect(() => toClientConfig(issued, client as AgentClient, { ...options, ...more }))
  wrong({ url: 'file:///etc/passwd' }).toThrow('"url"')
  wrong({ url: 'https://user:secret@app.example.com' }).toThrow('"url"')
  wrong({ serverName: 'a"b' }).toThrow('"serverName"')
  wrong({ envName: 'a=b' }).toThrow('"envName"')
  for (const path of ['/srv/$(reboot)', '/srv/`x`', '/srv/"', '/srv/{x}', '']) wrong({ file: path }).toThrow('"file"')
  wrong({}, '__proto__').toThrow('the client must be one of claude-code, codex')
})

test('[mcp-private-file] a credential file is private, replaced in one step, and read back as headers', async () => {
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

test('a private file keeps the mode of an existing one only when asked to, and leaves nothing behind when it fails', async () => {
  const own = join(folder, 'private')
  await writePrivateFile(own, 'first')
  chmodSync(own, 0o640)
  await writePrivateFile(own, 'second', { keepMode: true })
  expect([readFileSync(own, 'utf8'), statSync(own).mode & 0o777]).toEqual(['second', 0o640])
  await writePrivateFile(own, 'third')
  expect([readFileSync(own, 'utf8'), statSync(own).mode & 0o777]).toEqual(['third', 0o600])
  rmSync(own)
  mkdirSync(own)
  await expect(writePrivateFile(own, 'fourth')).rejects.toThrow(/EISDIR|EPERM|EEXIST|ENOTEMPTY/)
  rmSync(own, { recursive: true })
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
