import type { Request } from 'express'
import { type Answering, hasBody, http2StreamOf, isFramed, type StreamOfRequest } from './message.js'

/** The most that is read of what is refused, in bytes and milliseconds. */
export const REFUSED_BODY: { readonly maxBytes: number; readonly timeoutMs: number } = {
  maxBytes: 256 * 1024,
  timeoutMs: 1000,
}
/** NO_ERROR (RFC 9113 §7): the answer is whole, and the rest of the body is not wanted (§8.1). */
const NO_ERROR = 0

/**
 * Discards what a refused client still sends once the answer is out, so that the client reads the status instead of a
 * reset: up to 256 KiB, then no more is read; after 1 s the connection is closed. After a body that ends within that the
 * connection can be used again. Until the answer is out no more is read than a stream's buffer holds.
 *
 * An HTTP/2 stream is closed instead; a request that an adapter built has nothing on its way.
 */
export function drain(request: Request): void {
  if (request.readableEnded || request.destroyed) return
  const stream = http2StreamOf(request)
  // Its response says that it is finished only when the stream is closed.
  if (stream !== undefined) return whenFinished(stream, () => close(stream))
  if (!isFramed(request) || !hasBody(request)) return
  // Otherwise Node discards a body that nothing has read, without a bound.
  request.read(0)
  if (request.res === undefined) discard(request)
  else whenFinished(request.res, () => discard(request))
}

/** Once the answer is out. */
function whenFinished(answer: Answering, work: () => void): void {
  if (answer.writableFinished) work()
  else answer.once('finish', work)
}

function close(stream: StreamOfRequest): void {
  if (!stream.readableEnded && !stream.destroyed) stream.close(NO_ERROR)
}

function discard(request: Request): void {
  const { socket } = request
  let received = 0
  const timer = setTimeout(() => {
    stop()
    // A complete body has no bytes on their way, even if another listener has not read it to its end.
    if (!request.complete) socket.destroy()
  }, REFUSED_BODY.timeoutMs)
  function onData(chunk: Buffer): void {
    received += chunk.length
    if (received <= REFUSED_BODY.maxBytes) return
    request.off('data', onData).pause()
    // With a FIN: a client that looks sees the answer before the connection is closed.
    socket.end()
  }
  function stop(): void {
    clearTimeout(timer)
    request.off('data', onData).off('close', stop)
  }
  // Closed is what has ended, too, and what was broken off.
  request.on('close', stop).on('data', onData)
  request.resume()
}
