import { decodeBase64url, type JsonObject, parseJsonObject } from '../strict-encoding.js'

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
  const header = decodeObject(token.slice(0, first))
  if (header === undefined || typeof header.alg !== 'string') return 'header'
  const payload = decodeObject(token.slice(first + 1, second))
  if (payload === undefined) return 'payload'
  const signature = decodeBase64url(token.slice(second + 1))
  if (signature === undefined) return 'signature'
  const signed = Buffer.from(token.slice(0, second), 'latin1')
  return { signed, signature, header: header as CompactJws['header'], payload }
}

function decodeObject(part: string): JsonObject | undefined {
  const bytes = decodeBase64url(part)
  return bytes === undefined ? undefined : parseJsonObject(bytes)
}
