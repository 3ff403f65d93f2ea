import type { Request } from 'express'
import { hasBody } from './framing.js'

const MAX_BYTES = 256 * 1024
const TIMEOUT_MS = 1000

/**
 * Discards what a refused client still sends, so that it reads the status instead of a reset: up to 256 KiB or for 1 s,
 * then no more is read, and when the answer is out the connection is closed. A body that ends within that leaves the
 * connection as good as new.
 */
export function drain(request: Request): void {
  if (!hasBody(request) || request.readableEnded || request.destroyed) return
  const { socket } = request
  let received = 0
  const timer = setTimeout(() => {
    stop()
    // Complete, and only not read to the end by whoever else listens: nothing is on its way.
    if (!request.complete) onceAnswered(request, () => socket.destroy())
  }, TIMEOUT_MS)
  function onData(chunk: Buffer): void {
    received += chunk.length
    if (received <= MAX_BYTES) return
    request.off('data', onData).pause()
    // With a FIN: a client that looks sees the answer before the connection is closed.
    onceAnswered(request, () => socket.end())
  }
  function stop(): void {
    clearTimeout(timer)
    request.off('data', onData).off('end', stop).off('close', stop).off('error', stop)
  }
  request.on('end', stop).on('close', stop).on('error', stop).on('data', onData)
  request.resume()
}

/** An app's own `onDenied`, or its error handler, may take its time. */
function onceAnswered({ res }: Request, work: () => void): void {
  if (res === undefined || res.writableFinished || res.destroyed) work()
  else res.once('finish', work)
}
