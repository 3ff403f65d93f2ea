import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { fencesOf, readPages } from '../docs/markdown.js'
import { freePort } from '../support/redis-server.js'
import { type Consumer, createConsumer } from './consumer.js'
import { printedAuthorization, type Running, startProgram, stopProgram } from './program.js'
import { packAll } from './tarballs.js'

/** The whole programs of the guide, in its order, and whether each remembers a session. */
const servers = [
  ['SDK v2 without sessions', false],
  ['SDK v2 with sessions', true],
  ['SDK v1 without sessions', false],
  ['SDK v1 with sessions', true],
] as const
const programs = readPages()
  .filter(({ path }) => path === 'docs/guides/mcp-credential.md')
  .flatMap(fencesOf)
  .filter(({ code }) => code.includes('app.listen('))

let folder: string
let consumer: Consumer
const ports: number[] = []
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-mcp-servers-'))
  const sdks = ['server', 'node', 'sdk'].map((name) => `@modelcontextprotocol/${name}`)
  const dependencies = ['express', '@types/express', '@types/node', 'zod', ...sdks]
  const tarballs = packAll(folder, ['core', 'redis', 'mcp-credential'])
  consumer = createConsumer(join(folder, 'app'), { folders: [], type: 'module', dependencies }, tarballs)
  for (const [index, { code }] of programs.entries()) {
    const port = await freePort()
    ports.push(port)
    writeFileSync(join(consumer.folder, `server-${index}.ts`), code.replaceAll('3000', String(port)))
  }
  consumer.compile({ module: 'nodenext', outDir: 'out' })
}, 180_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface AnyClient {
  listTools(): Promise<{ tools: { name: string }[] }>
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>
  close(): Promise<void>
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

async function exercise(running: Running, open: (typeof clients)[string], keepsState: boolean): Promise<void> {
  const url = new URL(`${running.url}/mcp`)
  const client = await open(url, { Authorization: await printedAuthorization(running) })
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['preview_open'])
  const text = async (page: string) => {
    const result = await client.callTool({ name: 'preview_open', arguments: { page } })
    return (result as { content: { text: string }[] }).content[0]?.text
  }
  const expected = keepsState
    ? ['a.html is page 1 of this session', 'b.html is page 2 of this session']
    : ['a.html opened for claude-1', 'b.html opened for claude-1']
  expect([await text('a.html'), await text('b.html')]).toEqual(expected)
  await expect(client.callTool({ name: 'shell', arguments: {} })).rejects.toThrow('This session may not use that tool')
  await client.close()
}

test('the guide has a whole program for each kind of server', () => {
  expect(
    programs.map(({ code }) => [code.includes('modelcontextprotocol/sdk/'), code.includes('sessions.set(')]),
  ).toEqual(servers.map(([name, keepsState]) => [name.startsWith('SDK v1'), keepsState]))
})

test.each(servers.map(([name, keepsState], index) => [name, index, keepsState] as const))(
  'the guide’s server of %s serves clients of both SDKs, run from a fresh project',
  async (_name, index, keepsState) => {
    const port = ports[index] as number
    const running = startProgram(consumer.folder, join('out', `server-${index}.js`), port)
    try {
      await exercise(running, clients.v1 as (typeof clients)[string], keepsState)
      await exercise(running, clients.v2 as (typeof clients)[string], keepsState)
      const refused = await fetch(`${running.url}/mcp`, { method: 'POST', body: '{}' })
      expect(refused.status).toBe(401)
    } finally {
      await stopProgram(running)
    }
  },
)
