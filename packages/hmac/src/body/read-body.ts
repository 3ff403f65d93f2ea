import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { CodedTypeError, warn } from '@countersign/core/gate-kit'
import getRawBody from 'raw-body'
import { declaredLength, hasBody } from './framing.js'

/** What became of a body: its bytes, or why there are none. */
export type BodyResult = Buffer | 'too_large' | 'aborted'

/** Where the bytes come from: the stream, which they are fed back to, or `req.rawBody`, where the platform kept them. */
export type BodyMode = 'buffer' | 'rawBody'

/** The code of the error for a body that was read before the gate. */
export const BODY_CONSUMED = 'ERR_COUNTERSIGN_HMAC_BODY_CONSUMED'

const EMPTY = Buffer.alloc(0)
/** What gates have read: another gate on the same request must not look for it in the stream. */
const bodies = new WeakMap<IncomingMessage, Buffer>()

/**
 * The bytes of the body as they came over the wire. Those of a stream are fed back: whatever reads the request next finds
 * it untouched. Without a body, or when a gate has read it before, no promise is made.
 *
 * @throws {TypeError} with code `ERR_COUNTERSIGN_HMAC_BODY_CONSUMED` when something else has read from the stream.
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  mode: BodyMode = 'buffer',
): BodyResult | Promise<BodyResult> {
  if (mode === 'rawBody') return platformBody(request, maxBytes)
  const known = bodies.get(request)
  if (known !== undefined) return known.length > maxBytes ? 'too_large' : known
  if (!hasBody(request)) return keep(request, EMPTY)
  if (isTaken(request)) throw bodyConsumed()
  const length = declaredLength(request)
  if (length !== undefined && length > maxBytes) return 'too_large'
  if (isWhole(request, length)) return takeWhole(request, length, maxBytes)
  if (request.destroyed) return 'aborted'
  return new Promise((resolve, reject) => pump(request, length, maxBytes, resolve, reject))
}

function isTaken(request: IncomingMessage): boolean {
  return (
    request.readableEnded ||
    request.readableDidRead ||
    request.readableFlowing === true ||
    request.readableEncoding !== null ||
    request.listenerCount('data') > 0
  )
}

/** Whether all of the body is there. The message itself reports it a moment after the last byte. */
function isWhole(request: IncomingMessage, length: number | undefined): boolean {
  return request.complete || request.readableLength === length
}

/**
 * A body that is there to its last byte is taken in one piece and put back: most small ones are, once they are
 * readable. `read` is never asked for more than is there, because that would emit `'end'`.
 */
function takeWhole(request: IncomingMessage, length: number | undefined, maxBytes: number): BodyResult {
  const { readableLength } = request
  if (readableLength > maxBytes) return 'too_large'
  if (length !== undefined && length !== readableLength) return 'aborted'
  const body = readableLength === 0 ? null : (request.read(readableLength) as Buffer | null)
  if (body === null) return keep(request, EMPTY)
  request.unshift(body)
  return keep(request, body)
}

/**
 * Reads in paused mode. A body that comes in pieces is handed to raw-body, chunk by chunk, and at the message's end,
 * before `'end'` is emitted, put back with `unshift`.
 */
function pump(
  request: IncomingMessage,
  length: number | undefined,
  maxBytes: number,
  resolve: (result: BodyResult) => void,
  reject: (error: unknown) => void,
): void {
  const chunks: Buffer[] = []
  let feed: EventEmitter | undefined
  let isDone = false

  function finish(): void {
    isDone = true
    request.off('readable', onReadable).off('error', onGone).off('close', onGone)
  }

  function startReader(): EventEmitter {
    const source = new EventEmitter()
    getRawBody(source as unknown as Readable, { limit: maxBytes, length: length ?? null }, (error, body) => {
      finish()
      if (error == null) {
        if (body.length > 0) request.unshift(body)
        return resolve(keep(request, body))
      }
      if (error.type === 'entity.too.large') {
        if (chunks.length > 0) request.unshift(Buffer.concat(chunks))
        return resolve('too_large')
      }
      if (error.type === 'request.aborted' || error.type === 'request.size.invalid') return resolve('aborted')
      reject(error)
    })
    return source
  }

  function onReadable(): void {
    if (feed === undefined && isWhole(request, length)) {
      finish()
      return resolve(takeWhole(request, length, maxBytes))
    }
    feed ??= startReader()
    while (!isDone && request.readableLength > 0) {
      const chunk = request.read(request.readableLength) as Buffer | null
      if (chunk === null) break
      chunks.push(chunk)
      feed.emit('data', chunk)
    }
    if (!isDone && request.complete) feed.emit('end')
  }

  // Without this the reader would wait for ever.
  function onGone(): void {
    if (feed !== undefined) return void feed.emit('aborted')
    finish()
    resolve('aborted')
  }

  request.on('readable', onReadable).on('error', onGone).on('close', onGone)
}

function keep(request: IncomingMessage, body: Buffer): Buffer {
  bodies.set(request, body)
  ;(request as { rawBody?: Buffer }).rawBody = body
  return body
}

function platformBody(request: IncomingMessage, maxBytes: number): BodyResult {
  const { rawBody } = request as { rawBody?: unknown }
  if (rawBody === undefined && !hasBody(request)) return EMPTY
  if (!(rawBody instanceof Uint8Array)) throw bodyConsumed()
  if (rawBody.length > maxBytes) return 'too_large'
  return Buffer.isBuffer(rawBody) ? rawBody : Buffer.from(rawBody.buffer, rawBody.byteOffset, rawBody.byteLength)
}

let isWarned = false

/**
 * A mistake in the order of middleware. Warns once a process: the answer has no detail and the event no message, and who
 * mounted the middleware must still learn of it.
 */
function bodyConsumed(): CodedTypeError {
  const message =
    'requireHmac: the request body was read before the gate, so the signed bytes are gone. Mount requireHmac before ' +
    `express.json() and every other parser, or set body: 'rawBody' when the platform keeps the bytes in req.rawBody.`
  if (!isWarned) warn('COUNTERSIGN_HMAC_BODY_CONSUMED', message)
  isWarned = true
  return new CodedTypeError(BODY_CONSUMED, message)
}
