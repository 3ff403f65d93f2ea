import { randomUUID } from 'node:crypto'
import { createSettingsSessions, guardMcpServer, leakGuard } from '@countersign/settings-session'
import { afterEach, describe, expect, test } from '@jest/globals'
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client'
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { McpServer as McpServerV2 } from '@modelcontextprotocol/server'
import compression from 'compression'
import express, { type Express } from 'express'
import { recordedAudit } from '../support/audit-recorder.js'
import { type RunningServer, serve } from '../support/http-server.js'
import { catchWarnings } from '../support/warnings.js'

type Result = { content: { type: 'text'; text: string }[] }
type Progress = (progress: number) => Promise<void>
/** What the three SDKs have in common here. */
interface Tools {
  registerTool(name: string, config: object, handler: (...given: never[]) => Promise<Result>): unknown
  connect(transport: never): Promise<void>
}
interface Extra {
  readonly _meta?: { readonly progressToken?: string | number }
  readonly sendNotification?: (message: object) => Promise<void>
  readonly mcpReq?: Extra & { readonly notify: (message: object) => Promise<void> }
}
interface Running {
  call(name: string, onprogress?: (progress: { progress: number }) => void, signal?: AbortSignal): Promise<unknown>
  close(): Promise<void>
}

const { audit, events } = recordedAudit()
const settings = createSettingsSessions({ baseUrl: 'https://app.example.com/settings', audit })
const reveal = async () => {
  const link = await settings.issueLink({ platform: 'slack', userId: 'u1' })
  return link.url.reveal('deliver-to-user')
}

let running: { server: RunningServer; session: Running } | undefined
afterEach(async () => {
  await running?.session.close()
  await running?.server.close()
  running = undefined
  events.length = 0
})

/** Settled by the client, when it has seen the first step: a progress that comes at the end would never come. */
let firstStepSeen: PromiseWithResolversOf<void>
interface PromiseWithResolversOf<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
}
function withResolvers(): PromiseWithResolversOf<void> {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

function addTools(server: Tools): void {
  const text = (content: string): Result => ({ content: [{ type: 'text', text: content }] })
  const progressOf =
    (extra: Extra): Progress =>
    async (progress) => {
      const inside = extra.mcpReq ?? extra
      const progressToken = inside._meta?.progressToken
      const message = { method: 'notifications/progress', params: { progressToken, progress, total: 2 } }
      await (extra.mcpReq?.notify ?? extra.sendNotification)?.(message)
    }
  server.registerTool('work', {}, async (extra: Extra) => {
    await progressOf(extra)(1)
    await firstStepSeen.promise
    await progressOf(extra)(2)
    return text('all is well')
  })
  server.registerTool('careless', {}, async () => text(JSON.stringify({ url: await reveal() })))
  server.registerTool('failing', {}, async () => {
    throw new Error(`cannot send ${await reveal()}`)
  })
}

const STREAMABLE = { sessionIdGenerator: () => randomUUID() }

/** Serves the tools, once: one session for each app. */
const SERVERS: Readonly<Record<string, (app: Express, guard: (server: Tools) => Tools) => void>> = {
  'v1 SSE': (app, guard) => {
    let transport: SSEServerTransport | undefined
    app.get('/mcp', async (_request, response) => {
      transport = new SSEServerTransport('/messages', response)
      const server = new McpServerV1({ name: 'tools', version: '1.0.0' })
      addTools(server as unknown as Tools)
      await guard(server as unknown as Tools).connect(transport as never)
    })
    app.post('/messages', express.json(), (request, response) =>
      transport?.handlePostMessage(request, response, request.body),
    )
  },
  'v1 Streamable HTTP': (app, guard) => {
    const transport = new StreamableHTTPServerTransport(STREAMABLE)
    const server = new McpServerV1({ name: 'tools', version: '1.0.0' })
    addTools(server as unknown as Tools)
    const connected = guard(server as unknown as Tools).connect(transport as never)
    app.all('/mcp', express.json(), async (request, response) => {
      await connected
      await transport.handleRequest(request, response, request.body)
    })
  },
  'v2 Streamable HTTP': (app, guard) => {
    const transport = new NodeStreamableHTTPServerTransport(STREAMABLE)
    const server = new McpServerV2({ name: 'tools', version: '1.0.0' })
    addTools(server as unknown as Tools)
    const connected = guard(server as unknown as Tools).connect(transport as never)
    app.all('/mcp', express.json(), async (request, response) => {
      await connected
      await transport.handleRequest(request, response, request.body)
    })
  },
}

/** Connects the client of the same version. `received` gets every byte. */
async function connect(name: string, url: URL, received: string[]): Promise<Running> {
  const listening: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    if (response.body === null) return response
    const decoder = new TextDecoder()
    const tap = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        received.push(decoder.decode(chunk, { stream: true }))
        controller.enqueue(chunk)
      },
    })
    return new Response(response.body.pipeThrough(tap), response)
  }
  const about = { name: 'agent', version: '1.0.0' }
  const client = name.startsWith('v2') ? new ClientV2(about) : new ClientV1(about)
  client.onerror = () => undefined
  const transport = name.startsWith('v2')
    ? new TransportV2(url, { fetch: listening })
    : name === 'v1 SSE'
      ? new SSEClientTransport(url, { fetch: listening as never })
      : new TransportV1(url, { fetch: listening as never })
  await client.connect(transport as never)
  return {
    call: (tool, onprogress, signal) => {
      const options = {
        ...(onprogress === undefined ? {} : { onprogress }),
        ...(signal === undefined ? {} : { signal }),
      }
      if (client instanceof ClientV2) return client.callTool({ name: tool }, options)
      return client.callTool({ name: tool }, undefined, options)
    },
    close: () => client.close(),
  }
}

async function start(name: string, guardServer: boolean) {
  const app = express()
  app.use(compression({ threshold: 0 }))
  if (!guardServer) app.use(leakGuard({ audit }))
  SERVERS[name]?.(app, (server) => (guardServer ? guardMcpServer(server, { audit }) : server))
  const server = await serve(app)
  const received: string[] = []
  const session = await connect(name, new URL(`${server.url}/mcp`), received)
  running = { server, session }
  return { session, received }
}

const leaks = () => events.filter(({ type }) => type === 'settings.leak.stopped')

describe.each(Object.keys(SERVERS))('[settings-leak] the MCP SDK %s', (name) => {
  test.each([
    ['leakGuard', false],
    ['guardMcpServer', true],
  ])('behind %s a client connects, and progress comes in time', async (_guard, guardServer) => {
    firstStepSeen = withResolvers()
    const { session } = await start(name, guardServer)
    const steps: number[] = []
    const result = await session.call('work', ({ progress }) => {
      steps.push(progress)
      firstStepSeen.resolve()
    })
    // Version 1 drops a step that comes in one chunk with the result.
    expect([result, steps[0]]).toMatchObject([{ content: [{ type: 'text', text: 'all is well' }] }, 1])
    expect(leaks()).toEqual([])
  })

  test.each(['careless', 'failing'])('behind leakGuard a link in the result of a %s tool is stopped', async (tool) => {
    const { session, received } = await start(name, false)
    const abort = new AbortController()
    const stop = audit.subscribe(({ type }) => {
      if (type === 'settings.leak.stopped') abort.abort()
    })
    await expect(session.call(tool, undefined, abort.signal)).rejects.toThrow()
    stop()
    expect(leaks().map(({ attributes }) => attributes?.where)).toEqual(['body'])
    expect(received.join('')).not.toMatch(/[ls]1\.[0-9a-f]/)
  })

  test.each(['careless', 'failing'])(
    'behind guardMcpServer a link in the result of a %s tool is an error without detail',
    async (tool) => {
      const { session, received } = await start(name, true)
      await expect(session.call(tool)).rejects.toMatchObject({
        code: -32603,
        message: expect.stringMatching(/Internal error$/),
      })
      expect(leaks().map(({ attributes }) => attributes?.where)).toEqual(['mcp'])
      expect(received.join('')).not.toMatch(/[ls]1\.[0-9a-f]/)
      firstStepSeen = withResolvers()
      firstStepSeen.resolve()
      expect(await session.call('work')).toMatchObject({ content: [{ text: 'all is well' }] })
    },
  )
})

describe('[settings-leak] compression', () => {
  async function get(url: string): Promise<{ status: number; encoding: string | null; text: string }> {
    const response = await fetch(url, { headers: { 'accept-encoding': 'gzip' } })
    const text = await response.text().catch(() => 'cut')
    return { status: response.status, encoding: response.headers.get('content-encoding'), text }
  }

  test('outside of leakGuard compresses what it passes, streams included, and a 500 in place of a leak', async () => {
    const app = express()
    app.use(compression({ threshold: 0 }), leakGuard({ audit }))
    app.get('/json', (_request, response) => void response.json({ list: Array(100).fill('all') }))
    app.get('/head', (_request, response) => void response.writeHead(200, { 'content-type': 'text/plain' }).end('l1.'))
    app.get('/leak', async (_request, response) => void response.json({ url: await reveal() }))
    app.get('/leak-after-head', async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' }).end(await reveal())
    })
    app.get('/stream', async (_request, response) => {
      response.type('application/x-ndjson')
      response.write('{"step":1}\n')
      response.flush()
      await firstStepSeen.promise
      response.end('{"step":2}\n')
    })
    const server = await serve(app)
    expect(await get(`${server.url}/json`)).toMatchObject({ status: 200, encoding: 'gzip' })
    expect(await get(`${server.url}/head`)).toEqual({ status: 200, encoding: 'gzip', text: 'l1.' })
    for (const path of ['/leak', '/leak-after-head']) {
      const { status, text } = await get(server.url + path)
      expect([status, text]).toEqual([500, '{"type":"about:blank","title":"Internal Server Error","status":500}'])
    }
    firstStepSeen = withResolvers()
    const reader = ((await fetch(`${server.url}/stream`)).body as ReadableStream<Uint8Array>)
      .pipeThrough(new TextDecoderStream() as unknown as ReadableWritablePair<string, Uint8Array>)
      .getReader()
    expect((await reader.read()).value).toBe('{"step":1}\n')
    firstStepSeen.resolve()
    expect((await reader.read()).value).toBe('{"step":2}\n')
    await server.close()
  })

  test('inside of leakGuard cannot be read: 500, an event and a warning that says what to do', async () => {
    const { warnings, stop } = catchWarnings()
    const app = express()
    app.use(leakGuard({ audit }), compression({ threshold: 0 }))
    app.get('/json', (_request, response) => void response.json({ list: Array(100).fill('all') }))
    const server = await serve(app)
    const answers = [await get(`${server.url}/json`), await get(`${server.url}/json`)]
    expect(answers.map(({ status, encoding }) => [status, encoding])).toEqual([
      [500, null],
      [500, null],
    ])
    expect(leaks().map(({ attributes }) => attributes?.where)).toEqual(['encoded', 'encoded'])
    expect(warnings.map(({ code }) => code)).toEqual(['COUNTERSIGN_SETTINGS_LEAK_GUARD_ORDER'])
    stop()
    await server.close()
  })
})
