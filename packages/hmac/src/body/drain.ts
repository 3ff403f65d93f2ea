import type { IncomingMessage } from 'node:http'
import { hasBody } from './framing.js'

const MAX_BYTES = 256 * 1024
const TIMEOUT_MS = 1000

/**
 * Discards what a refused client still sends, so that it reads the status instead of a reset: up to 256 KiB, then no
 * more is read; after 1 s the connection is closed. A body that ends within that leaves the connection as good as new.
 */
export function drain(request: IncomingMessage): void {
  const { socket } = request
  if (!hasBody(request) || request.readableEnded || request.destroyed) return
  let received = 0
  const timer = setTimeout(() => {
    stop()
    // Complete, and only not read to the end by whoever else listens: nothing is on its way.
    if (!request.complete) socket.destroy()
  }, TIMEOUT_MS)
  function onData(chunk: Buffer): void {
    received += chunk.length
    if (received <= MAX_BYTES) return
    request.pause()
    // The answer goes out whole, with a FIN: a client that looks sees it before the connection is closed.
    socket.end()
  }
  function stop(): void {
    clearTimeout(timer)
    request.off('data', onData).off('end', stop).off('close', stop).off('error', stop)
  }
  request.on('end', stop).on('close', stop).on('error', stop).on('data', onData)
  request.resume()
}
