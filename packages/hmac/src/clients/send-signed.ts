import type { ClientRequest } from 'node:http'
import { pipeline, Readable } from 'node:stream'
import { OptionError } from '@countersign/core'
import { resolveOptions } from '@countersign/core/gate-kit'
import { createSigner, type SigningClientOptions, signingClientRules, streamRefused } from './signer.js'

/**
 * Signs a request of `node:http` or `node:https` whose headers are not sent yet, and sends it with its body. A text is
 * its UTF-8 bytes. A stream needs a `Content-Digest` header (RFC 9530), which is signed in its place. `node:http`
 * follows no redirects.
 *
 * @throws {OptionError} for a wrong option, a secret shorter than 32 bytes, and a request whose headers are on their way
 * (as with `Expect: 100-continue`, or `headers` given as a list).
 * @throws {TypeError} with code `ERR_COUNTERSIGN_HMAC_BODY_STREAM` for a stream without a digest.
 * @example
 * const request = http.request({ host, port, method: 'POST', path: '/internal/executions' }, onResponse)
 * sendSigned(request, JSON.stringify(job), { caller: 'scheduler', version: 3, secret, audience })
 */
export function sendSigned<R extends ClientRequest>(
  request: R,
  body: string | Uint8Array | Readable | undefined,
  options: SigningClientOptions,
): R {
  const signer = createSigner(resolveOptions('sendSigned', options, signingClientRules))
  if (request.headersSent) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'request',
      'sendSigned: the headers of "request" were already sent',
    )
  }
  if (body instanceof Readable && !request.hasHeader('content-digest')) throw streamRefused('sendSigned')
  const bytes = typeof body === 'string' ? Buffer.from(body) : body instanceof Readable ? undefined : (body ?? NO_BODY)
  const { method, path } = request
  const headers = request.getHeaderNames().map((name) => [name, String(request.getHeader(name))] as const)
  const signable = { method, url: path, headers, ...(bytes === undefined ? {} : { body: bytes }) }
  const signed = signer(signable, String(request.getHeader('host') ?? request.host))
  for (const [name, value] of Object.entries(signed)) request.setHeader(name, value)
  // An error of the stream ends the request, and is emitted by it.
  if (body instanceof Readable) pipeline(body, request, () => undefined)
  else request.end(bytes)
  return request
}

const NO_BODY = new Uint8Array(0)
