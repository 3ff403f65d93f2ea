import { decodeBase64url, type JsonObject, parseJsonObject } from '../strict-encoding.js'

/** A compact JWS whose payload is a JSON object. Nothing in it is proven. */
export interface CompactJws {
  /** The bytes that are signed. */
  readonly signed: Buffer
  readonly signature: Buffer
  readonly header: JsonObject & { readonly alg: string }
  readonly payload: JsonObject
}

/**
 * Parses three canonical base64url parts: an object as header with a string `alg`, an object as payload, a signature.
 * Undefined for anything else.
 *
 * Source: RFC 7515 §7.1, RFC 7519 §7.2.
 */
export function parseJws(token: string): CompactJws | undefined {
  const first = token.indexOf('.')
  const second = first === -1 ? -1 : token.indexOf('.', first + 1)
  if (second === -1 || token.indexOf('.', second + 1) !== -1) return undefined
  const header = decodeObject(token.slice(0, first))
  if (header === undefined || typeof header.alg !== 'string') return undefined
  const payload = decodeObject(token.slice(first + 1, second))
  const signature = decodeBase64url(token.slice(second + 1))
  if (payload === undefined || signature === undefined) return undefined
  const signed = Buffer.from(token.slice(0, second), 'latin1')
  return { signed, signature, header: header as CompactJws['header'], payload }
}

function decodeObject(part: string): JsonObject | undefined {
  const bytes = decodeBase64url(part)
  return bytes === undefined ? undefined : parseJsonObject(bytes)
}
