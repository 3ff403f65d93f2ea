import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { OptionError } from '@countersign/core'

/** A TCP proxy in front of a Redis, for the faults that a network has. */
export interface HangingRedis {
  readonly port: number
  /** For a client: `redis://127.0.0.1:<port>`. */
  readonly url: string
  /** Connections taken so far. */
  readonly connections: number
  /** Bytes that clients sent so far. */
  readonly bytesSent: number
  /** Holds back every byte and close, in both directions, until {@link resume}: nothing is lost. New connections hang, too. */
  hang(): void
  /** Holds back what the server answers, until {@link resume} or {@link reset}; what clients send arrives. */
  hangReplies(): void
  /** Adds this many milliseconds to every byte and close, in both directions. */
  delay(ms: number): void
  /** Makes the present connections half-open: they stay, and every byte on them is lost. New ones work. */
  halfOpen(): void
  /** Cuts every connection with a reset; what was held back is lost. */
  reset(): void
  /** Ends {@link hang}, {@link hangReplies} and {@link delay}. */
  resume(): void
  /** Cuts every connection and takes no more. */
  close(): Promise<void>
}

type Direction = 'to server' | 'to client'

interface Link {
  readonly client: Socket
  readonly server: Socket
  /** In order, as on any connection: what comes later never overtakes. Without a chunk, the sender has closed. */
  readonly waiting: Record<Direction, { readonly chunk?: Buffer; dueMs: number }[]>
  isDead: boolean
}

/**
 * Puts a proxy on a loopback port of its own before a Redis: a port of this machine, or a `redis://` URL.
 *
 * @throws {OptionError} when `target` is neither. A TLS connection (`rediss://`) cannot be passed on: its certificate is
 * for another name.
 * @example
 * const proxy = await hangingRedis('redis://127.0.0.1:6379')
 * const replay = redisReplay(new Redis(proxy.url))
 * proxy.hang()
 */
export async function hangingRedis(target: number | string): Promise<HangingRedis> {
  const { host, port, credentials } = readTarget(target)
  const links = new Set<Link>()
  const holding: Record<Direction, boolean> = { 'to server': false, 'to client': false }
  let delayMs = 0
  let connections = 0
  let bytesSent = 0

  /** Passes on what is due. A timer may be up to a millisecond early. */
  function pass(link: Link, direction: Direction): void {
    const waiting = link.waiting[direction]
    const target = direction === 'to server' ? link.server : link.client
    while (!holding[direction] && waiting[0] !== undefined && waiting[0].dueMs <= performance.now() + 1) {
      const chunk = waiting.shift()?.chunk
      if (link.isDead || target.destroyed) continue
      if (chunk === undefined) target.destroySoon()
      else target.write(chunk)
    }
  }

  function forward(link: Link, direction: Direction, chunk?: Buffer): void {
    if (direction === 'to server') bytesSent += chunk?.length ?? 0
    if (link.isDead) return
    link.waiting[direction].push({ ...(chunk && { chunk }), dueMs: performance.now() + delayMs })
    if (delayMs > 0) setTimeout(() => pass(link, direction), delayMs)
    else pass(link, direction)
  }

  const proxy = createServer((client) => {
    connections += 1
    const link: Link = {
      client,
      server: connect(port, host),
      waiting: { 'to server': [], 'to client': [] },
      isDead: false,
    }
    links.add(link)
    // A closed connection is as late as the bytes before it, which a client that gave up has still sent.
    const end = (direction: Direction) => () => {
      if (client.destroyed && link.server.destroyed) links.delete(link)
      forward(link, direction)
    }
    client.on('data', (chunk) => forward(link, 'to server', chunk))
    link.server.on('data', (chunk) => forward(link, 'to client', chunk))
    client.on('error', () => undefined).on('close', end('to server'))
    link.server.on('error', () => undefined).on('close', end('to client'))
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const address = proxy.address() as { port: number }

  function reset(): void {
    for (const { client, server } of links) {
      client.resetAndDestroy()
      server.destroy()
    }
    links.clear()
  }

  return {
    port: address.port,
    url: `redis://${credentials}127.0.0.1:${address.port}`,
    get connections() {
      return connections
    },
    get bytesSent() {
      return bytesSent
    },
    hang: () => {
      holding['to server'] = true
      holding['to client'] = true
    },
    hangReplies: () => {
      holding['to client'] = true
    },
    delay: (ms) => {
      delayMs = ms
    },
    halfOpen: () => {
      for (const link of links) {
        link.isDead = true
        link.server.destroy()
      }
    },
    reset,
    resume: () => {
      holding['to server'] = false
      holding['to client'] = false
      delayMs = 0
      for (const link of links) {
        for (const direction of ['to server', 'to client'] as const) {
          for (const one of link.waiting[direction]) one.dueMs = 0
          pass(link, direction)
        }
      }
    },
    close: async () => {
      proxy.close()
      reset()
      if (proxy.listening) await once(proxy, 'close')
    },
  }
}

function readTarget(target: number | string): { host: string; port: number; credentials: string } {
  if (typeof target === 'number') return { host: '127.0.0.1', port: target, credentials: '' }
  if (!URL.canParse(target) || new URL(target).protocol !== 'redis:') {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'target',
      'hangingRedis: the target must be a port or a redis:// URL',
    )
  }
  const { hostname, port, username, password } = new URL(target)
  const credentials = password === '' ? '' : `${username}:${password}@`
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 6379), credentials }
}
