import type { IncomingMessage } from 'node:http'
import { type BodyResult, hasParsedBody, readBody } from '@countersign/core/body'
import { andThen, memberOf, parseStrictJson } from '@countersign/core/gate-kit'

/** Why a body cannot be read. */
interface RefusedBody {
  readonly outcome: 'refused'
  readonly reason: 'malformed_body' | 'unsupported_body' | 'body_too_large'
  readonly why: 'aborted' | 'empty' | 'encoding' | 'charset' | 'form' | 'not_json' | 'too_large'
}

/** What a body holds: what a handler may take it for, each of it to be checked; nothing when there is no body. */
export type JsonBody = RefusedBody | { readonly outcome: 'read'; readonly values: readonly unknown[] }

const NONE: JsonBody = { outcome: 'read', values: [] }
/** A request of one of these methods is about its body. */
const BODY_METHODS: ReadonlySet<unknown> = new Set(['POST', 'PUT', 'PATCH'])

/** What a gate has read of a request: for the ids of its messages. */
const read = new WeakMap<IncomingMessage, unknown>()

/** The JSON that was read of a request, or what a parser left. */
export function jsonBodyOf(request: IncomingMessage): unknown {
  return read.has(request) ? read.get(request) : bodyOf(request)
}

/** What is on `req.body`, of whomever. */
function bodyOf(request: IncomingMessage & { readonly body?: unknown }): unknown {
  return memberOf(request, 'body')
}

/**
 * The JSON of a body: what a parser made of it, where one has read it; else its bytes as strict UTF-8 JSON, whatever their
 * content type, and fed back. Refused is what a parser behind the gate might read otherwise: compressed bytes, another
 * character set, a form, a member twice.
 */
export function readJsonBody(request: IncomingMessage, maxBytes: number): JsonBody | Promise<JsonBody> {
  if (hasParsedBody(request)) return { outcome: 'read', values: [bodyOf(request)] }
  const handed = handedOver(request)
  return andThen<BodyResult, JsonBody>(readBody(request, maxBytes), (bytes) => {
    if (typeof bytes === 'string') {
      return bytes === 'too_large' ? refused('body_too_large', bytes) : refused('malformed_body', bytes)
    }
    const values = handed === undefined ? [] : [handed]
    if (bytes.length === 0) {
      return BODY_METHODS.has(request.method) && handed === undefined
        ? refused('malformed_body', 'empty')
        : { ...NONE, values }
    }
    const unsupported = unsupportedBy(request)
    if (unsupported !== undefined) return refused('unsupported_body', unsupported)
    const value = parseStrictJson(bytes)
    if (value === undefined) return refused('malformed_body', 'not_json')
    read.set(request, value)
    return { outcome: 'read', values: [value, ...values] }
  })
}

function refused(reason: RefusedBody['reason'], why: RefusedBody['why']): RefusedBody {
  return { outcome: 'refused', reason, why }
}

/** What is on `req.body` for a handler. Some parsers leave `{}` where they did not read, some adapters the bytes. */
function handedOver(request: IncomingMessage): unknown {
  const body = bodyOf(request)
  if (body === undefined || body === null || typeof body === 'string' || body instanceof Uint8Array) return undefined
  const isEmpty = typeof body === 'object' && !Array.isArray(body) && Object.keys(body).length === 0
  return isEmpty ? undefined : body
}

/** Parsers read what is in `headers`. */
function unsupportedBy({ headers }: IncomingMessage): 'encoding' | 'charset' | 'form' | undefined {
  const encoding = String(memberOf(headers, 'content-encoding') ?? 'identity')
  if (encoding.trim().toLowerCase() !== 'identity') return 'encoding'
  const type = String(memberOf(headers, 'content-type') ?? '').toLowerCase()
  // A form of one field may look like JSON, and hold other messages for a parser of forms.
  if (type.includes('urlencoded')) return 'form'
  return type.includes('charset') && !isUtf8Charset(type) ? 'charset' : undefined
}

/** In UTF-7, other bytes spell the name of a method. Of two character sets, a parser may take either. */
function isUtf8Charset(type: string): boolean {
  return type.split('charset').length === 2 && /;[ \t]*charset="?utf-8"?[ \t]*(?:;|$)/.test(type)
}
