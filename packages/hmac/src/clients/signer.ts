import { CodedTypeError, type OptionRule, option } from '@countersign/core/gate-kit'
import type { SignableRequest } from '../formats/format.js'
import { AUDIENCE_PATTERN } from '../formats/grammar.js'
import { type SignOptions, sign, signerRules } from '../sign.js'

/** The options that every client has. */
export interface SigningClientOptions extends Omit<SignOptions, 'now' | 'nonce' | 'audience'> {
  /** The verifier's audience. Default: the host of each request. */
  readonly audience?: string | undefined
  /** True signs each request with a nonce of its own, as `rfc9421` does in any case. Default false. */
  readonly nonce?: boolean | undefined
  /** Milliseconds since the epoch. Default: the system clock. */
  readonly now?: (() => number) | undefined
}

/** The rules of {@link SigningClientOptions}; spread them into a client's own. */
export const signingClientRules: typeof signerRules & {
  readonly audience: OptionRule<string | undefined>
  readonly nonce: OptionRule<boolean | undefined>
  readonly now: OptionRule<(() => number) | undefined>
} = {
  ...signerRules,
  audience: option.string(AUDIENCE_PATTERN, 'a host, such as "billing.example.com"'),
  nonce: option.boolean(),
  now: option.syncFunc<() => number>(),
}

/** Signs one request to a host. A retry is another request and is signed again. */
export type Signer = (request: SignableRequest, host: string) => Record<string, string>

/**
 * Makes a client's signer of its resolved options.
 *
 * @throws {OptionError} at creation, not at the first request.
 */
export function createSigner({ audience: fixed, now = Date.now, ...signing }: SigningClientOptions): Signer {
  const signer: Signer = (request, host) => sign(request, { ...signing, audience: fixed ?? host, now: now() })
  const required = (signing.format?.requiredFields ?? []).map((name) => [name, ''] as const)
  signer({ method: 'GET', url: '/', headers: required }, 'localhost')
  return signer
}

/** The error for a stream without a digest: its bytes are not known before they are sent. */
export function streamRefused(owner: string): CodedTypeError {
  return new CodedTypeError(
    'ERR_COUNTERSIGN_HMAC_BODY_STREAM',
    `${owner}: a stream can only be signed by its digest: add a Content-Digest header (RFC 9530), or pass a string or bytes`,
  )
}
