import { OptionError } from '@countersign/core'
import { type SignOptions, sign } from '../sign.js'

export interface SignedFetchOptions extends Omit<SignOptions, 'now' | 'nonce' | 'audience'> {
  /** The verifier's audience. Default: the host of each request's URL. */
  readonly audience?: string
  /** What sends. Default: the global `fetch`. */
  readonly fetch?: typeof fetch
  /** Milliseconds since the epoch. Default: the system clock. */
  readonly now?: () => number
}

/**
 * A `fetch` that signs. The `Request` is built first, so that boundary and content type are final, and the bytes that
 * it sends are signed. Redirects are never followed: the signature headers would leak to another origin. Each call
 * signs anew, so a retry is a call.
 *
 * Rejects with code `ERR_HMAC_BODY_STREAM` for a stream, whose bytes are not known before they are sent.
 *
 * @throws {OptionError} for a wrong option, and for a secret shorter than 32 bytes.
 */
export function createSignedFetch(options: SignedFetchOptions): typeof fetch {
  const { fetch: send = globalThis.fetch, now = Date.now, audience, ...signing } = options
  if (typeof send !== 'function' || typeof now !== 'function') {
    throw new OptionError('ERR_OPTION_INVALID', 'fetch', 'createSignedFetch: "fetch" and "now" must be functions')
  }
  // A wrong option shows now, not at the first request.
  sign({ method: 'GET', url: '/' }, { ...signing, audience: audience ?? 'localhost' })

  return async function signedFetch(input, init) {
    const isStream = init?.body instanceof ReadableStream
    if (isStream || (input instanceof Request && input.body !== null && init?.body === undefined)) {
      throw Object.assign(
        new TypeError('createSignedFetch: a stream cannot be signed: give the body as text, bytes or a form in "init"'),
        { code: 'ERR_HMAC_BODY_STREAM' },
      )
    }
    const request = new Request(input, { ...init, redirect: 'manual' })
    const body = new Uint8Array(await request.clone().arrayBuffer())
    const headers = sign(
      { method: request.method, url: request.url, headers: request.headers, body },
      { ...signing, audience: audience ?? new URL(request.url).host, now: now() },
    )
    for (const [name, value] of Object.entries(headers)) request.headers.set(name, value)
    // The bytes themselves: what is signed is what is sent.
    return request.body === null ? send(request) : send(new Request(request, { body }))
  }
}
