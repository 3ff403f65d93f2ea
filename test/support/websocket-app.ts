import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Audit, AuditEvent, Gate } from '@countersign/core'
import { expect } from '@jest/globals'
import express, { type Express } from 'express'
import { WebSocket, WebSocketServer } from 'ws'
import { recordAudit } from './audit-recorder.js'

/** Header fields that a client sends. */
export type Headers = Readonly<Record<string, string>>

export interface Refused {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly problem: { readonly status: number }
}

export interface WebSocketApp {
  readonly app: Express
  readonly server: Server
  readonly sockets: WebSocketServer
  readonly port: number
  /** `http://localhost:<port>` */
  readonly origin: string
  readonly audit: Audit
  /** Lets a gate decide on upgrades to `/live`; each message is answered with who sent it. */
  serve(gate: Gate): void
  /** Connects with a real client; resolves with the first message, or with how it was refused. */
  talk(headers?: Headers, path?: string): Promise<string | Refused>
  /** Connects with a real client, and leaves the connection open. */
  connect(headers?: Headers, path?: string): Promise<WebSocket>
  /** The decisions: the path, the gate, and the reason or the principal. */
  decisions(): (string | undefined)[][]
  close(): Promise<void>
}

/** What a refused client sees, with this status. */
export const refused = (status: number): unknown => ({
  status,
  headers: expect.objectContaining({ 'content-type': 'application/problem+json; charset=utf-8', connection: 'close' }),
  problem: expect.objectContaining({ status }),
})

/** An Express app on a server of its own, and a WebSocketServer of the `ws` package beside it. */
export async function startWebSocketApp(): Promise<WebSocketApp> {
  const { audit, events } = recordAudit()
  const sockets = new WebSocketServer({ noServer: true })
  const open = new Set<Duplex>()
  const app = express()
  const server = createServer(app).on('connection', (socket) => open.add(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as { port: number }
  return {
    app,
    server,
    sockets,
    port,
    origin: `http://localhost:${port}`,
    audit,
    serve: (gate) =>
      void gate.upgrade(server, '/live', (request, socket, head, principal) => {
        sockets.handleUpgrade(request, socket, head, (client) => {
          client.on('message', (text) => client.send(`${principal?.kind ?? 'nobody'}: ${text}`))
        })
      }),
    talk: (headers = {}, path = '/live') => talkTo(`ws://127.0.0.1:${port}${path}`, headers),
    connect: async (headers = {}, path = '/live') => {
      const client = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers })
      await once(client, 'open')
      return client
    },
    decisions: () =>
      events
        .filter(({ type }) => type.startsWith('access.'))
        .map(({ http, gate, reason, principal }: AuditEvent) => [http?.route, gate, reason ?? principal?.id]),
    async close() {
      for (const socket of open) socket.destroy()
      await once(server.close(), 'close')
    },
  }
}

async function talkTo(url: string, headers: Headers): Promise<string | Refused> {
  const client = new WebSocket(url, { headers })
  return new Promise((resolve, reject) => {
    client.on('error', reject)
    client.on('open', () => client.send('hello'))
    client.on('message', (text) => {
      client.close()
      resolve(String(text))
    })
    client.on('unexpected-response', async (_request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk as Buffer)
      const problem = JSON.parse(Buffer.concat(chunks).toString()) as Refused['problem']
      resolve({ status: response.statusCode ?? 0, headers: response.headers, problem })
    })
  })
}
