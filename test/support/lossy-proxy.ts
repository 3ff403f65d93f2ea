import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/**
 * Takes connections to a PostgreSQL server, and cuts one when the server has done what it was asked, before the client hears
 * of it.
 */
export class LossyProxy {
  readonly #target: URL
  readonly #server = createServer((incoming) => this.#relay(incoming))
  readonly #sockets = new Set<Socket>()
  /** The next statement with this text is done, and its answer lost; as often as it says. */
  lose: { readonly text: string; times: number } | undefined
  /** Nobody can connect. */
  isDown = false
  /** So many answers were lost. */
  lost = 0

  constructor(target: string) {
    this.#target = new URL(target)
  }

  #relay(incoming: Socket): void {
    const outgoing = connect(Number(this.#target.port), '127.0.0.1')
    for (const socket of [incoming, outgoing]) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        incoming.destroy()
        outgoing.destroy()
      })
    }
    if (this.isDown) return void incoming.destroy()
    let isDoomed = false
    incoming.on('data', (chunk: Buffer) => {
      if (this.lose !== undefined && this.lose.times > 0 && chunk.includes(this.lose.text)) {
        isDoomed = true
        this.lose.times -= 1
      }
      outgoing.write(chunk)
    })
    outgoing.on('data', (chunk: Buffer) => {
      if (!isDoomed) return void incoming.write(chunk)
      // ReadyForQuery, idle: the transaction is over.
      if (!chunk.includes(Buffer.from('Z\0\0\0\x05I', 'latin1'))) return
      this.lost += 1
      incoming.destroy()
    })
  }

  /** The URL of the server by way of here. */
  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const url = new URL(this.#target)
    url.port = String((this.#server.address() as AddressInfo).port)
    return url.href
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  close(): void {
    this.#server.close()
    this.cut()
  }
}
