import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Audit, AuditEvent, Gate } from '@countersign/core'
import { recordAudit } from '../../../test/support/audit-recorder.js'
import { type KeyDefinition, type KeyOptions, type KeyPrincipal, type KeyVerdict, keyGate } from './harness.js'

export const good = { headers: { 'X-Key': 'good' } }
export const bad = { headers: { 'X-Key': 'bad' } }

/** A server, what a gate reports, and what its listener gets. */
export interface World {
  readonly server: Server
  readonly port: number
  readonly audit: Audit
  readonly events: AuditEvent[]
  /** What {@link World.listener} got. */
  readonly passed: { readonly request: IncomingMessage; readonly principal: unknown }[]
  /** Keeps what it gets, and echoes. */
  readonly listener: (request: IncomingMessage, socket: Duplex, head: Buffer, principal: unknown) => void
  /** A gate on `x-key` that reports here. */
  gateOf(options?: KeyOptions, changes?: Partial<KeyDefinition>): Gate<KeyPrincipal>
  close(): Promise<void>
}

export async function startWorld(): Promise<World> {
  const { audit, events } = recordAudit()
  const passed: { request: IncomingMessage; principal: unknown }[] = []
  return {
    ...(await startServer()),
    audit,
    events,
    passed,
    listener(request, socket, head, principal) {
      passed.push({ request, principal })
      echo(socket, head)
    },
    gateOf: (options = {}, changes = {}) => keyGate({ audit, ...options }, changes),
  }
}

export interface Later {
  /** For a gate's definition. */
  readonly verify: () => Promise<KeyVerdict>
  /** Resolves when the gate has asked. */
  readonly asked: Promise<void>
  readonly decide: (verdict: KeyVerdict) => void
}

/** A verdict that a test gives when it wants to. */
export function later(): Later {
  let decide: (verdict: KeyVerdict) => void = () => undefined
  let ask: () => void = () => undefined
  const verdict = new Promise<KeyVerdict>((resolve) => {
    decide = resolve
  })
  const asked = new Promise<void>((resolve) => {
    ask = resolve
  })
  const verify = () => {
    ask()
    return verdict
  }
  return { verify, asked, decide: (value) => decide(value) }
}

/** A server that answers requests with 200 and has no listener for upgrades yet. */
async function startServer(): Promise<Pick<World, 'server' | 'port' | 'close'>> {
  const server = createServer((_request, response) => response.end('a response'))
  const open = new Set<Duplex>()
  server.on('connection', (socket) => open.add(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as { port: number }
  const close = async () => {
    for (const socket of open) socket.destroy()
    await once(server.close(), 'close')
  }
  return { server, port, close }
}

export interface Client {
  readonly socket: Socket
  /** What was received so far. */
  text(): string
  /** Resolves with what was received when it has this in it. */
  until(part: string): Promise<string>
  /** Resolves with what was received when the server has closed the connection. */
  closed(): Promise<string>
}

export interface Handshake {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** Bytes that follow in the same packet. */
  readonly head?: string
}

/** A connection of its own that asks for an upgrade to the protocol `echo`, byte for byte as it is written here. */
export async function askUpgrade(port: number, path: string, handshake: Handshake = {}): Promise<Client> {
  const { method = 'GET', headers = {}, head = '' } = handshake
  const lines = Object.entries(headers).flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}\r\n`))
  return ask(
    port,
    `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n${lines.join('')}\r\n${head}`,
  )
}

/** A connection of its own on which these bytes are sent, one for each character. */
export async function ask(port: number, bytes: string): Promise<Client> {
  const socket = connect({ port, host: '127.0.0.1' })
  await once(socket, 'connect')
  let received = ''
  let isClosed = false
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    received += chunk
  })
  socket.on('error', () => undefined)
  socket.once('close', () => {
    isClosed = true
  })
  socket.write(bytes, 'latin1')
  return {
    socket,
    text: () => received,
    async until(part) {
      while (!received.includes(part)) {
        if (isClosed) throw new Error(`closed after: ${received}`)
        await Promise.race([once(socket, 'data'), once(socket, 'close')])
      }
      return received
    },
    async closed() {
      if (!isClosed) await once(socket, 'close')
      return received
    },
  }
}

/** Switches protocols, and sends back what comes. */
export function echo(socket: Duplex, head: Buffer): void {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
  socket.write(head)
  socket.pipe(socket)
}
