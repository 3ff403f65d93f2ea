import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { fencesOf, readPages } from '../docs/markdown.js'
import { freePort } from '../support/redis-server.js'
import { type TestIssuer, testIssuer } from '../support/test-issuer.js'
import { type Consumer, createConsumer } from './consumer.js'
import { isListening, printedAuthorization, type Running, startProgram, stopProgram, until } from './program.js'
import { packAll } from './tarballs.js'

/** The whole programs of a guide, in its order. */
const fencesIn = (name: string) =>
  readPages()
    .filter(({ path }) => path === `docs/guides/${name}.md`)
    .flatMap(fencesOf)
    .filter(({ language }) => language === 'ts')
const programsOf = (name: string) =>
  fencesIn(name)
    .map(({ code }) => code)
    .filter((code) => code.includes('.listen('))

/** The servers that both guides have, in this order, and whether each remembers a session. */
const servers = [
  ['SDK v2 without sessions', false],
  ['SDK v2 with sessions', true],
  ['SDK v1 without sessions', false],
  ['SDK v1 with sessions', true],
] as const
const credentialPrograms = programsOf('mcp-credential')
const hostedPrograms = programsOf('hosted-mcp-server')
const [forBrowsers = ''] = hostedPrograms.slice(4)
/** Examples of the credentials guide that have no server of their own, by what only they hold. */
const parts = {
  handing: "spawn('claude'",
  rotating: 'const next =',
  bearer: 'requireBearerAuth',
}
function partOf(mark: string): string {
  const { code } = fencesIn('mcp-credential').find(({ code }) => code.includes(mark)) ?? { code: `nothing has ${mark}` }
  const [program = ''] = credentialPrograms
  const isThere = (name: string) => new RegExp(`^import .*\\b${name}\\b.* from`, 'm').test(program)
  return (
    `${program}\n` +
    code.replace(/^import (?:\{ (\w+) \}|(\w+)) from .*\n/gm, (line, named, standard) =>
      isThere(named ?? standard) ? '' : line,
    )
  )
}
/** By file. The last one has the middleware that the page shows in place of a package. */
const programs: Readonly<Record<string, string>> = {
  ...Object.fromEntries(credentialPrograms.map((code, index) => [`credential-${index}`, code])),
  ...Object.fromEntries(hostedPrograms.map((code, index) => [`hosted-${index}`, code])),
  // Each stands where the guide says: at the end of its first program.
  ...Object.fromEntries(Object.entries(parts).map(([name, mark]) => [`part-${name}`, partOf(mark)])),
  'hosted-without-cors': `import { openToScripts } from './open-to-scripts.js'\n${forBrowsers
    .replace(/^import cors .*\n/m, '')
    .replace(/cors\(.*\)(?=\)$)/m, 'openToScripts')}`,
}
const openToScripts = fencesIn('hosted-mcp-server').find(({ code }) => code.includes('export const openToScripts'))

const RESOURCE = 'https://mcp.example.com/mcp'

let folder: string
let consumer: Consumer
let issuer: TestIssuer
const ports = new Map<string, number>()
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-mcp-servers-'))
  issuer = await testIssuer({ resource: RESOURCE, algorithm: 'ES256' })
  const sdks = ['server', 'node', 'express', 'client', 'sdk'].map((name) => `@modelcontextprotocol/${name}`)
  const types = ['@types/express', '@types/node', '@types/cors']
  const dependencies = ['express', 'cors', 'zod', ...types, ...sdks]
  const tarballs = packAll(folder, ['core', 'redis', 'postgres', 'mcp-credential', 'oauth-bearer'])
  consumer = createConsumer(join(folder, 'app'), { folders: [], type: 'module', dependencies }, tarballs)
  writeFileSync(join(consumer.folder, 'open-to-scripts.ts'), openToScripts?.code ?? '')
  for (const [name, code] of Object.entries(programs)) {
    const port = await freePort()
    ports.set(name, port)
    // As it stands, but for what the machine that runs the tests does not have.
    const here = code
      .replaceAll('3000', String(port))
      .replaceAll('https://auth.example.com', issuer.url)
      .replaceAll('https://app.example.com', `http://localhost:${port}`)
      .replaceAll(/\/srv\/agents|\/run\/user\/1000(?=\/app)/g, folder)
    writeFileSync(join(consumer.folder, `${name}.ts`), here)
  }
  consumer.compile({ module: 'nodenext', outDir: 'out' })
}, 180_000)
afterAll(async () => {
  await issuer.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs one of the programs while `work` uses it. */
async function running(name: string, work: (program: Running) => Promise<void>, env = {}): Promise<void> {
  const program = startProgram(consumer.folder, join('out', `${name}.js`), ports.get(name) as number, env)
  try {
    await until(program, () => isListening(program))
    await work(program)
  } finally {
    await stopProgram(program)
  }
}

interface AnyClient {
  listTools(): Promise<{ tools: { name: string }[] }>
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>
  close(): Promise<void>
  readonly transport?: { readonly sessionId?: string | undefined } | undefined
}

const clients: Readonly<Record<string, (url: URL, headers: Record<string, string>) => Promise<AnyClient>>> = {
  async v1(url, headers) {
    const client = new ClientV1({ name: 'agent', version: '1.0.0' })
    await client.connect(new TransportV1(url, { requestInit: { headers } }) as Parameters<typeof client.connect>[0])
    return client
  },
  async v2(url, headers) {
    const client = new ClientV2({ name: 'agent', version: '1.0.0' })
    await client.connect(new TransportV2(url, { requestInit: { headers } }))
    return client
  },
}

const opened = Object.entries(clients)

/** Calls a tool, and says what it answered. */
async function told(client: AnyClient, name: string, args: Record<string, unknown> = {}): Promise<string | undefined> {
  const result = await client.callTool({ name, arguments: args })
  return (result as { content: { text: string }[] }).content[0]?.text
}

/** A call without a client of an SDK. */
function post(
  { url }: Running,
  headers: Record<string, string>,
  name: string,
  args: object = {},
  path = '/mcp',
): Promise<Response> {
  const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } }
  const types = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
  return fetch(url + path, { method: 'POST', headers: { ...types, ...headers }, body: JSON.stringify(body) })
}

const bearer = async (claims: Record<string, unknown> = {}) => ({
  Authorization: `Bearer ${await issuer.token({ claims: { scope: 'mcp', ...claims } })}`,
})

test('each guide has a whole program for each kind of server', () => {
  const kinds = (codes: readonly string[]) =>
    codes.map((code) => [code.includes('modelcontextprotocol/sdk/'), code.includes('sessions.set(')])
  const expected = servers.map(([name, keepsState]) => [name.startsWith('SDK v1'), keepsState])
  expect(kinds(credentialPrograms)).toEqual(expected)
  expect(kinds(hostedPrograms.slice(0, 4))).toEqual(expected)
  expect(hostedPrograms).toHaveLength(7)
})

const numbered = servers.map(([name, keepsState], index) => [name, index, keepsState] as const)

test.each(numbered)(
  'the credentials guide’s server of %s serves clients of both SDKs, run from a fresh project',
  (_name, index, keepsState) =>
    running(`credential-${index}`, async (program) => {
      const headers = { Authorization: await printedAuthorization(program) }
      for (const [, open] of opened) {
        const client = await open(new URL(`${program.url}/mcp`), headers)
        expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['preview_open'])
        const expected = keepsState
          ? ['a.html is page 1 of this session', 'b.html is page 2 of this session']
          : ['a.html opened for claude-1', 'b.html opened for claude-1']
        const pages = [await told(client, 'preview_open', { page: 'a.html' })]
        pages.push(await told(client, 'preview_open', { page: 'b.html' }))
        expect(pages).toEqual(expected)
        await expect(told(client, 'shell')).rejects.toThrow('This session may not use that tool')
        await client.close()
      }
      expect((await post(program, {}, 'preview_open')).status).toBe(401)
    }),
)

test('what the credentials guide hands over leads an agent to its tool, and a rotation replaces it', async () => {
  const project = join(folder, 'thread-1')
  const bin = join(folder, 'bin')
  for (const one of [project, bin]) mkdirSync(one)
  // What an agent does with its configuration; `npm run agents` runs real ones.
  const agent = `#!${process.execPath}
    const { mcpServers } = JSON.parse(require('node:fs').readFileSync('.mcp.json', 'utf8'))
    const headers = JSON.parse(require('node:child_process').execSync(mcpServers.app.headersHelper, { encoding: 'utf8' }))
    require('node:fs').writeFileSync('told.tmp', JSON.stringify({ words: process.argv.slice(2), url: mcpServers.app.url, headers }))
    require('node:fs').renameSync('told.tmp', 'told.json')`
  writeFileSync(join(bin, 'claude'), agent, { mode: 0o755 })
  await running(
    'part-handing',
    async (program) => {
      const told = join(project, 'told.json')
      await until(program, () => existsSync(told))
      const { words, url, headers } = JSON.parse(readFileSync(told, 'utf8')) as Record<string, unknown>
      expect([words, url]).toEqual([['--mcp-config', '.mcp.json'], `${program.url}/mcp`])
      const answer = await post(program, headers as Record<string, string>, 'preview_open', { page: 'a.html' })
      expect(await answer.text()).toContain('a.html opened for claude-1')
    },
    { PATH: `${bin}${delimiter}${process.env.PATH}` },
  )
  const file = join(folder, 'app', 'thread-1.json')
  rmSync(file)
  await running('part-rotating', async (program) => {
    await until(program, () => existsSync(file))
    const { headers } = JSON.parse(readFileSync(file, 'utf8')) as { headers: { Authorization: string } }
    const old = await printedAuthorization(program)
    expect(headers.Authorization).not.toBe(old)
    // The old one stays for its overlap.
    for (const one of [headers, { Authorization: old }]) {
      const answer = await post(program, one, 'preview_open', { page: 'a.html' })
      expect(await answer.text()).toContain('a.html opened for claude-1')
    }
  })
})

test('the credentials guide’s use of the SDK’s own middleware works', async () => {
  await running('part-bearer', async (program) => {
    const headers = { Authorization: await printedAuthorization(program) }
    const answer = await post(program, headers, 'preview_open', { page: 'a.html' }, '/sdk')
    expect(await answer.text()).toContain('a.html opened for claude-1')
  })
})

test.each(numbered)(
  'the hosting guide’s server of %s serves clients of both SDKs, and a session is its user’s alone',
  (_name, index, keepsState) =>
    running(`hosted-${index}`, async (program) => {
      const headers = await bearer()
      for (const [, open] of opened) {
        const client = await open(new URL(`${program.url}/mcp`), headers)
        if (keepsState) {
          expect(await told(client, 'add_note', { note: 'a' })).toBe('a')
          expect(await told(client, 'add_note', { note: 'b' })).toBe('a, b')
          const session = { 'mcp-session-id': client.transport?.sessionId as string }
          const call = (who: Record<string, string>) => post(program, { ...session, ...who }, 'add_note', { note: 'c' })
          expect((await call(await bearer({ sub: 'somebody-else' }))).status).toBe(404)
          expect(await (await call(headers)).text()).toContain('a, b, c')
        } else {
          expect(await told(client, 'whoami')).toBe('u1')
        }
        await client.close()
      }
      const refused = await post(program, {}, 'whoami')
      const [, metadata = ''] =
        /resource_metadata="([^"]+)"/.exec(String(refused.headers.get('www-authenticate'))) ?? []
      expect([refused.status, metadata]).toEqual([
        401,
        'https://mcp.example.com/.well-known/oauth-protected-resource/mcp',
      ])
      const document = await fetch(program.url + new URL(metadata).pathname)
      expect(await document.json()).toMatchObject({ resource: RESOURCE, authorization_servers: [issuer.url] })
    }),
)

test.each(['hosted-4', 'hosted-without-cors'])('the program for browsers answers preflights: %s', (name) =>
  running(name, async (program) => {
    const asked = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' }
    const origin = { origin: 'https://inspector.example.com' }
    const preflight = await fetch(`${program.url}/mcp`, { method: 'OPTIONS', headers: { ...origin, ...asked } })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '*'])
    expect(preflight.headers.get('access-control-allow-headers')).toBe('authorization')
    const refused = await post(program, origin, 'whoami')
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, '*'])
    expect(refused.headers.get('access-control-expose-headers')).toMatch(/mcp-session-id.*www-authenticate/i)
    expect(await (await post(program, { ...origin, ...(await bearer()) }, 'whoami')).text()).toContain('"u1"')
  }),
)

test('the program with scopes for tools names the scopes that a tool needs', () =>
  running('hosted-5', async (program) => {
    const call = async (name: string, scope: string) => post(program, await bearer({ scope }), name, { path: 'a.txt' })
    expect(await (await call('read_file', 'mcp')).text()).toContain('this is a.txt')
    const refused = await call('write_file', 'mcp')
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      403,
      expect.stringMatching(/scope="[^"]*files:write/),
    ])
    expect(await (await call('write_file', 'mcp files:write')).text()).toContain('a.txt is written')
  }))

test('the program for agents beside OAuth clients serves both', () =>
  running('hosted-6', async (program) => {
    const agent = { Authorization: await printedAuthorization(program) }
    expect(await (await post(program, agent, 'whoami')).text()).toContain('"claude-1"')
    expect(await (await post(program, await bearer(), 'whoami')).text()).toContain('"c1"')
    expect((await post(program, agent, 'shell')).status).toBe(403)
    expect((await post(program, {}, 'whoami')).status).toBe(401)
  }))
