import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import getRawBody from 'raw-body'
import { andThen } from './async.js'
import { CodedTypeError } from './errors.js'
import { memberOf } from './options/own.js'
import { rememberOn } from './remember-on.js'
import { askForBody } from './request/continue.js'
import { REFUSED_BODY } from './request/drain.js'
import { declaredLength, hasBody, http2StreamOf, isFramed } from './request/message.js'
import { singleton } from './singleton.js'

export { askForBody } from './request/continue.js'
export { drain } from './request/drain.js'
export { hasBody, mayLackLines } from './request/message.js'

/** What became of a body: its bytes, or why there are none. */
export type BodyResult = Buffer | 'too_large' | 'aborted'

/** Where the bytes come from: the stream, which they are fed back to, or `req.rawBody`, where the platform kept them. */
export type BodyMode = 'buffer' | 'rawBody'

/** What is handed the pieces of a body as they come, such as a hash. */
export interface PieceTaker {
  /** Never called for a body that is there in one piece, or was read before. */
  take(piece: Buffer): void
}

/** The most that a gate reads of a body where it is not told otherwise, in bytes: 4 MiB. */
export const DEFAULT_MAX_BODY_BYTES: number = 4 * 1024 * 1024

/** The code of the error for a body that was read before the gate. */
export const BODY_CONSUMED = 'ERR_COUNTERSIGN_BODY_CONSUMED'

/** The code of the error for a body whose end cannot be seen. */
const BODY_END_UNKNOWN = 'ERR_COUNTERSIGN_BODY_END_UNKNOWN'

/** How long a body that no HTTP/1 parser bounds may say nothing. Of those, Node's `requestTimeout` takes care. */
const IDLE_MS = 30_000

const EMPTY = Buffer.alloc(0)
/** What gates have read: another gate on the same request must not look for it in the stream. */
const bodies = singleton('bodies', () => rememberOn<Buffer>())

/**
 * The bytes of the body as they came over the wire. Those of a stream are fed back: whatever reads the request next finds
 * it untouched. They are in `req.rawBody`, too. Without a body, or when a gate has read it before, no promise is made.
 *
 * The framing fields are believed only of the message that Node's HTTP/1 parser is working on. An HTTP/2 stream, and a
 * request that an adapter built, is read to its end, whatever its fields say of its length. When nothing more comes of it
 * for 30 s, an HTTP/2 stream counts as aborted. A client that waits for 100 Continue is asked for its body, where the server
 * leaves that to the app.
 *
 * @throws {TypeError} with code `ERR_COUNTERSIGN_BODY_CONSUMED` when something else has read from the stream,
 * `ERR_COUNTERSIGN_BODY_END_UNKNOWN` when the stream does not say where it ends, or does not end.
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  mode: BodyMode = 'buffer',
  pieces?: PieceTaker,
): BodyResult | Promise<BodyResult> {
  return read(request, maxBytes, mode, undefined, pieces) as BodyResult | Promise<BodyResult>
}

/**
 * Reads a body that is going to be refused as {@link readBody} would, so that the refusal takes as long as one that needs the
 * bytes; but no further than {@link drain}, 256 KiB and 1 s. `'unread'` where it continues after that.
 *
 * @throws {TypeError} as {@link readBody} does.
 */
export function readToRefuse(
  request: IncomingMessage,
  maxBytes: number,
  mode: BodyMode = 'buffer',
  pieces?: PieceTaker,
): BodyResult | 'unread' | Promise<BodyResult | 'unread'> {
  // What the platform kept is here already.
  const most = mode === 'rawBody' ? maxBytes : Math.min(maxBytes, REFUSED_BODY.maxBytes)
  const isTooLarge = most === maxBytes || (isFramed(request) && (declaredLength(request) ?? 0) > maxBytes)
  return andThen(read(request, most, mode, REFUSED_BODY.timeoutMs, pieces), (body) => {
    if (body === 'late') return 'unread'
    return body === 'too_large' && !isTooLarge ? 'unread' : body
  })
}

function read(
  request: IncomingMessage,
  maxBytes: number,
  mode: BodyMode,
  withinMs: number | undefined,
  pieces: PieceTaker | undefined,
): BodyResult | 'late' | Promise<BodyResult | 'late'> {
  if (mode === 'rawBody') {
    const kept = platformBody(request, maxBytes)
    if (kept !== undefined) return kept
  }
  const known = bodies.of(request)
  if (known !== undefined) return known.length > maxBytes ? 'too_large' : known
  const framed = isFramed(request)
  if (framed && !hasBody(request)) return keep(request, EMPTY)
  if (http2StreamOf(request)?.aborted === true) return 'aborted'
  const hadEnded = hasEnded(request, framed)
  // It ended, and nobody has got a byte of it.
  if (request.readableEnded && !request.readableDidRead) return keep(request, EMPTY)
  if (isTaken(request)) throw bodyConsumed()
  const length = framed ? declaredLength(request) : undefined
  if (length !== undefined && length > maxBytes) return 'too_large'
  // An adapter that has the body in memory hands it over at once.
  if (!framed && !hadEnded && request.readableLength === 0) request.read(0)
  if (isWhole(request, framed, length)) return takeWhole(request, length, maxBytes)
  if (request.destroyed) return 'aborted'
  askForBody(request)
  return new Promise((resolve, reject) => pump(request, framed, length, maxBytes, withinMs, pieces, resolve, reject))
}

/**
 * Whether `req.body` is what a parser made of the stream: the stream has been read by something other than a gate, and it is
 * no Buffer and no text. Adapters put the bytes there, and some parsers an empty object where they did not read.
 */
export function hasParsedBody(request: IncomingMessage & { readonly body?: unknown }): boolean {
  const body = memberOf(request, 'body')
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) return false
  return request.readableDidRead && (request.readableEnded || bodies.of(request) === undefined)
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

/**
 * Whether the end of the stream has been reached, with its last bytes perhaps still in its buffer. `complete` is true from
 * the start where an adapter builds the request.
 */
function hasEnded(request: IncomingMessage, framed: boolean): boolean {
  if (framed) return request.complete
  const stream = http2StreamOf(request)
  if (stream !== undefined) return stream.readableEnded
  // Streams have no public word for this before 'end' is emitted, and then nothing can be fed back.
  const state = (request as { _readableState?: { ended?: unknown } })._readableState
  if (typeof state?.ended !== 'boolean') throw endUnknown('It does not come from a Node.js stream')
  return state.ended
}

/** Whether all of the body is there. The message itself reports it a moment after the last byte. */
function isWhole(request: IncomingMessage, framed: boolean, length: number | undefined): boolean {
  return hasEnded(request, framed) || request.readableLength === length
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
  framed: boolean,
  length: number | undefined,
  maxBytes: number,
  withinMs: number | undefined,
  pieces: PieceTaker | undefined,
  resolve: (result: BodyResult | 'late') => void,
  reject: (error: unknown) => void,
): void {
  const chunks: Buffer[] = []
  let feed: EventEmitter | undefined
  let isDone = false
  const idle = framed ? undefined : setTimeout(onIdle, IDLE_MS)
  const deadline = withinMs === undefined ? undefined : setTimeout(onLate, withinMs)

  function finish(): void {
    isDone = true
    clearTimeout(idle)
    clearTimeout(deadline)
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
        putBack()
        return resolve('too_large')
      }
      if (error.type === 'request.aborted' || error.type === 'request.size.invalid') return resolve('aborted')
      reject(error)
    })
    return source
  }

  function putBack(): void {
    if (chunks.length > 0) request.unshift(Buffer.concat(chunks))
  }

  function onLate(): void {
    finish()
    putBack()
    resolve('late')
  }

  function onReadable(): void {
    idle?.refresh()
    if (http2StreamOf(request)?.aborted === true) return onGone()
    if (feed === undefined && isWhole(request, framed, length)) {
      finish()
      return resolve(takeWhole(request, length, maxBytes))
    }
    feed ??= startReader()
    while (!isDone && request.readableLength > 0) {
      const chunk = request.read(request.readableLength) as Buffer | null
      if (chunk === null) break
      chunks.push(chunk)
      feed.emit('data', chunk)
      if (!isDone) pieces?.take(chunk)
    }
    if (!isDone && hasEnded(request, framed)) feed.emit('end')
  }

  // Without this the reader would wait for ever.
  function onGone(): void {
    if (feed !== undefined) return void feed.emit('aborted')
    finish()
    resolve('aborted')
  }

  /** An HTTP/2 client may send no more and keep its stream; what an adapter hands over should have been there already. */
  function onIdle(): void {
    if (http2StreamOf(request) !== undefined) return onGone()
    finish()
    reject(endUnknown('Its body did not end'))
  }

  request.on('readable', onReadable).on('error', onGone).on('close', onGone)
}

function keep(request: IncomingMessage, body: Buffer): Buffer {
  bodies.set(request, body)
  ;(request as { rawBody?: Buffer }).rawBody = body
  return body
}

/** Undefined when the platform kept none, and the stream has to say that there is none. */
function platformBody(
  request: IncomingMessage & { readonly rawBody?: unknown },
  maxBytes: number,
): BodyResult | undefined {
  const rawBody = memberOf(request, 'rawBody')
  if (rawBody === undefined && !isFramed(request)) return undefined
  if (rawBody === undefined && !hasBody(request)) return EMPTY
  if (typeof rawBody === 'string') return textBody(request, rawBody, maxBytes)
  if (!(rawBody instanceof Uint8Array)) throw new CodedTypeError(BODY_CONSUMED, NOT_KEPT)
  if (rawBody.length > maxBytes) return 'too_large'
  return Buffer.isBuffer(rawBody) ? rawBody : Buffer.from(rawBody.buffer, rawBody.byteOffset, rawBody.byteLength)
}

/**
 * The bytes of a body that the platform decoded, as Azure Functions does. They are the ones that came only if they were UTF-8
 * all through: what was not has become U+FFFD, and a byte order mark may have been dropped.
 */
function textBody(request: IncomingMessage, text: string, maxBytes: number): BodyResult {
  if (text.length > maxBytes) return 'too_large'
  const bytes = Buffer.from(text, 'utf8')
  const length = declaredLength(request)
  if (text.includes('\ufffd') || !text.isWellFormed() || (length !== undefined && length !== bytes.length)) {
    throw new CodedTypeError(BODY_CONSUMED, NOT_EXACT)
  }
  return bytes.length > maxBytes ? 'too_large' : bytes
}

const NOT_EXACT =
  "The option body is 'rawBody', but req.rawBody is a string that may differ from the received bytes: the body was not UTF-8, or has " +
  'another length. Make the platform keep the bytes, or make clients send UTF-8 without a byte order mark.'

const NOT_KEPT =
  "The option body is 'rawBody', but req.rawBody has no bytes of this request. Make the platform keep them (in Nest with " +
  'rawBody: true), or remove the option and mount the gate before every parser.'

/** A mistake in the order of middleware. */
function bodyConsumed(): CodedTypeError {
  return new CodedTypeError(
    BODY_CONSUMED,
    'The request body was read before the gate, so its bytes are gone. Mount the gate before express.json() and every ' +
      `other parser, or, for requireHmac, set body: 'rawBody' if the platform keeps the bytes in req.rawBody.`,
  )
}

function endUnknown(seen: string): CodedTypeError {
  return new CodedTypeError(
    BODY_END_UNKNOWN,
    `The gate cannot tell where the body of the request ends. ${seen}: use an adapter that passes a stream that ends.`,
  )
}
