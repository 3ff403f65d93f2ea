import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** Where a connection is cut: after so many bytes of a command, or of what the server answers to it. */
export interface Cut {
  readonly of: 'command' | 'answer'
  readonly afterBytes: number
}

/** A TCP proxy that cuts the connection while a script is called. */
export interface CuttingRedis {
  readonly url: string
  /** Connections taken, and cut, so far. */
  readonly connections: number
  readonly cuts: number
  /** Bytes of the last script call that passed, and of its answer. */
  readonly last: { readonly command: number; readonly answer: number }
  /** Cuts the first sending of each script call from now on, but not what the client sends again. */
  cutEach(cut: Cut | undefined): void
  close(): Promise<void>
}

const BEGINNING_OF_CALL = /(?=\*\d+\r\n\$(?:7\r\nevalsha|4\r\neval)\r\n)/i

/** Puts such a proxy before the Redis on a port of this machine. */
export async function cuttingRedis(port: number): Promise<CuttingRedis> {
  const sockets = new Set<Socket>()
  const seen = new Set<string>()
  const last = { command: 0, answer: 0 }
  let each: Cut | undefined
  let connections = 0
  let cuts = 0

  const proxy = createServer((client) => {
    const server = connect(port, '127.0.0.1')
    connections += 1
    let open: Cut | undefined
    const cut = () => {
      cuts += 1
      client.resetAndDestroy()
      // An orderly end, so that the server still reads what has passed.
      server.end()
    }
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    }
    client.on('close', () => server.end())
    server.on('close', () => client.destroy())
    client.on('data', (chunk) => {
      const calls = chunk
        .toString('latin1')
        .split(BEGINNING_OF_CALL)
        .filter((part) => BEGINNING_OF_CALL.test(part))
      if (calls.length > 0) Object.assign(last, { command: chunk.length, answer: 0 })
      const isNew = calls.some((call) => !seen.has(call))
      for (const call of calls) seen.add(call)
      open = isNew ? each : undefined
      if (open?.of !== 'command') return void server.write(chunk)
      server.write(chunk.subarray(0, open.afterBytes))
      cut()
    })
    server.on('data', (chunk) => {
      last.answer += chunk.length
      if (client.destroyed) return
      if (open === undefined) return void client.write(chunk)
      // Never the whole answer, which a client understands without the newline at its end: then nothing would be lost.
      client.write(chunk.subarray(0, Math.min(open.afterBytes, chunk.length - 2)))
      cut()
    })
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  return {
    url: `redis://127.0.0.1:${(proxy.address() as { port: number }).port}`,
    get connections() {
      return connections
    },
    get cuts() {
      return cuts
    },
    last,
    cutEach: (given) => {
      each = given
    },
    close: async () => {
      proxy.close()
      for (const socket of sockets) socket.destroy()
      if (proxy.listening) await once(proxy, 'close')
    },
  }
}
