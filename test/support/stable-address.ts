import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { RedisServer } from './redis-server.js'

/** A stable address: new connections go to the current primary, and open ones stay where they are. */
export interface StableAddress {
  readonly url: string
  readonly port: number
  /** Taken so far. */
  readonly connections: number
  primary: RedisServer
  close(): void
}

export async function stableAddress(first: RedisServer): Promise<StableAddress> {
  const sockets: Socket[] = []
  let connections = 0
  const server = createServer((incoming) => {
    connections += 1
    const outgoing = connect(address.primary.port, '127.0.0.1')
    sockets.push(incoming, outgoing)
    for (const socket of [incoming, outgoing]) socket.on('error', () => undefined)
    incoming.pipe(outgoing).pipe(incoming)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const address = {
    url: `redis://127.0.0.1:${port}`,
    port,
    get connections() {
      return connections
    },
    primary: first,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
  return address
}
