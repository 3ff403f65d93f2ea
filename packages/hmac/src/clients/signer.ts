import { option } from '@countersign/core/gate-kit'
import type { SignableRequest } from '../formats/format.js'
import { AUDIENCE_PATTERN } from '../options.js'
import { type SignOptions, sign, signOptionRules } from '../sign.js'

/** The options that every client has. */
export interface SigningClientOptions extends Omit<SignOptions, 'now' | 'nonce' | 'audience'> {
  /** The verifier's audience. Default: the host of each request. */
  readonly audience?: string
  /** Milliseconds since the epoch. Default: the system clock. */
  readonly now?: () => number
}

const { caller, version, secret, format } = signOptionRules

/** The rules of {@link SigningClientOptions}; spread them into a client's own. */
export const signingClientRules = {
  caller,
  version,
  secret,
  audience: option.string(AUDIENCE_PATTERN, 'a host, such as "billing.example.com"'),
  format,
  now: option.func<() => number>(),
}

/** Signs one request to a host, anew at each call: a retry is another request. */
export type Signer = (request: SignableRequest, host: string) => Record<string, string>

/**
 * Makes a client's signer of its resolved options.
 *
 * @throws {OptionError} at creation, not at the first request.
 */
export function createSigner({ audience: fixed, now = Date.now, ...signing }: SigningClientOptions): Signer {
  const signer: Signer = (request, host) => sign(request, { ...signing, audience: fixed ?? host, now: now() })
  signer({ method: 'GET', url: '/' }, 'localhost')
  return signer
}

/** What a body that cannot be signed gets: its bytes are not known before they are sent. */
export function streamRefused(owner: string): Error {
  return Object.assign(
    new TypeError(
      `${owner}: a stream is signed by its digest alone: add a Content-Digest header (RFC 9530), or give text or bytes`,
    ),
    { code: 'ERR_COUNTERSIGN_HMAC_BODY_STREAM' },
  )
}
