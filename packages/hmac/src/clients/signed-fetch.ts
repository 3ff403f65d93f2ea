import { option, resolveOptions } from '@countersign/core/gate-kit'
import { createSigner, type SigningClientOptions, signingClientRules, streamRefused } from './signer.js'

/** Options of {@link createSignedFetch}. */
export interface SignedFetchOptions extends SigningClientOptions {
  /** What sends. Default: the global `fetch`. */
  readonly fetch?: typeof fetch | undefined
}

const rules = { ...signingClientRules, fetch: option.func<typeof fetch>() }

/**
 * A `fetch` that signs. A `Request` is built first, so that boundary and content type are final, and the bytes that it
 * holds are signed and sent. Redirects are never followed: the signature headers would leak to another origin. Each
 * call makes a new signature, so a retry is another call.
 *
 * A body that is a stream needs a `Content-Digest` header (RFC 9530), which is signed in its place; without one the call
 * rejects with code `ERR_COUNTERSIGN_HMAC_BODY_STREAM`. The body of a `Request` is read whole.
 *
 * @throws {OptionError} for a wrong option, and for a secret shorter than 32 bytes.
 * @example
 * const signedFetch = createSignedFetch({ caller: 'scheduler', version: 3, secret })
 * await signedFetch('https://billing.example.com/internal/executions', { method: 'POST', body: '{}' })
 */
export function createSignedFetch(options: SignedFetchOptions): typeof fetch {
  const { fetch: send = globalThis.fetch, ...signing } = resolveOptions('createSignedFetch', options, rules)
  const signer = createSigner(signing)

  return async function signedFetch(input, init) {
    const stream = isStream(init?.body) ? init?.body : undefined
    // Only for its head: the stream stays where it is.
    const request = new Request(input, { ...init, redirect: 'manual', ...(stream === undefined ? {} : { body: null }) })
    if (stream !== undefined && !request.headers.has('content-digest')) throw streamRefused('createSignedFetch')
    const body = stream === undefined ? new Uint8Array(await request.arrayBuffer()) : undefined
    const { method, url, headers, signal } = request
    const signed = signer({ method, url, headers, ...(body === undefined ? {} : { body }) }, new URL(url).host)
    for (const [name, value] of Object.entries(signed)) headers.set(name, value)
    const content =
      stream === undefined ? { body: hasContent(request, body) ? body : null } : { body: stream, duplex: 'half' }
    // By URL: another implementation of fetch accepts only its own Request.
    return send(url, { ...init, method, headers, signal, redirect: 'manual', ...content } as RequestInit)
  }
}

/** Streams and other iterables whose bytes come one after the other. */
function isStream(body: unknown): boolean {
  return body !== null && typeof body === 'object' && Symbol.asyncIterator in body
}

/** An empty body is a body, but GET and HEAD may have none (Fetch Standard, `Request`). */
function hasContent({ method }: Request, body: Uint8Array | undefined): boolean {
  return body !== undefined && (body.length > 0 || (method !== 'GET' && method !== 'HEAD'))
}
