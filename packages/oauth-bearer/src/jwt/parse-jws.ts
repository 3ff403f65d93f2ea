import { decodeBase64url, deepFreeze, type JsonObject, parseJsonObject } from '../strict-encoding.js'

/** A compact JWS whose payload is a JSON object. Nothing in it is proven. */
export interface CompactJws {
  /** The bytes that are signed. */
  readonly signed: Buffer
  readonly signature: Buffer
  readonly header: JsonObject & { readonly alg: string }
  readonly payload: JsonObject
}

/** The part of a token that is not a JWS's; `segments`: it does not have three parts. */
export type MalformedPart = 'segments' | 'header' | 'payload' | 'signature'

/**
 * Parses three canonical base64url parts: an object as header with a string `alg`, an object as payload, a signature.
 * For anything else, the first part that is not.
 *
 * Source: RFC 7515 §7.1, RFC 7519 §7.2.
 */
export function parseJws(token: string): CompactJws | MalformedPart {
  const first = token.indexOf('.')
  const second = first === -1 ? -1 : token.indexOf('.', first + 1)
  if (second === -1 || token.indexOf('.', second + 1) !== -1) return 'segments'
  const header = decodeHeader(token.slice(0, first))
  if (header === undefined) return 'header'
  const payload = decodeObject(token.slice(first + 1, second))
  if (payload === undefined) return 'payload'
  const signature = decodeBase64url(token.slice(second + 1))
  if (signature === undefined) return 'signature'
  const signed = Buffer.from(token.slice(0, second), 'latin1')
  return { signed, signature, header, payload }
}

/** Headers by their text: all tokens of one key have the same one. */
const headers = new Map<string, CompactJws['header']>()
const MAX_HEADERS = 100
/** Proofs, with a key in each header, are not among them. */
const MAX_KEPT_LENGTH = 200

function decodeHeader(part: string): CompactJws['header'] | undefined {
  const known = headers.get(part)
  if (known !== undefined) return known
  const header = decodeObject(part)
  if (header === undefined || typeof header.alg !== 'string') return undefined
  if (part.length > MAX_KEPT_LENGTH) return header as CompactJws['header']
  // A sender that makes them up has them decoded again, and no more.
  if (headers.size === MAX_HEADERS) headers.clear()
  const kept = deepFreeze(header as CompactJws['header'])
  // A copy: a part of the token would keep all of it.
  headers.set(Buffer.from(part, 'latin1').toString('latin1'), kept)
  return kept
}

function decodeObject(part: string): JsonObject | undefined {
  const bytes = decodeBase64url(part)
  return bytes === undefined ? undefined : parseJsonObject(bytes)
}
