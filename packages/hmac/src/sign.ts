import { createHmac } from 'node:crypto'
import { OptionError } from '@countersign/core'
import { memberOf, type OptionRule, option, resolveOptions, sha256 } from '@countersign/core/gate-kit'
import { newNonce, type SignableRequest, type SignatureFormat } from './formats/format.js'
import { AUDIENCE_PATTERN, CALLER_PATTERN, isField, MAX_VERSION, NONCE_PATTERN } from './formats/grammar.js'
import { rfc9421 } from './formats/rfc9421.js'
import { parseContentDigest } from './formats/signature-fields.js'
import { targetOf } from './formats/target.js'
import { secretKey, secretRule } from './secret-key.js'

/** Options of {@link sign}. */
export interface SignOptions {
  /** The name that the verifier knows this service by. */
  readonly caller: string
  /** The secret's version. `rfc9421` needs it; `xHeaders` does not. */
  readonly version?: number | undefined
  /** At least 32 bytes; a text stands for its UTF-8 bytes. */
  readonly secret: string | Uint8Array
  /** The verifier's audience: a host, with its port when that is not the scheme's own. */
  readonly audience: string
  /** Default: `rfc9421()`. */
  readonly format?: SignatureFormat | undefined
  /** Milliseconds since the epoch. Default: the system clock. */
  readonly now?: number | undefined
  /**
   * True signs with a nonce of 16 random bytes, which tells equal requests apart. `rfc9421` has one in any case; `xHeaders`
   * by itself only with `singleUse: 'nonce'`. Give a text only to get the same signature again.
   */
  readonly nonce?: boolean | string | undefined
}

/** The rules that {@link sign} and every client have in common. */
export const signerRules: {
  readonly caller: OptionRule<string>
  readonly version: OptionRule<number | undefined>
  readonly secret: OptionRule<string | Uint8Array>
  readonly format: OptionRule<SignatureFormat | undefined>
} = {
  caller: option.string(CALLER_PATTERN, 'a name of a-z 0-9 . _ - that starts with a letter or digit').required(),
  version: option.integer(1, MAX_VERSION),
  secret: secretRule().required(),
  format: option.port<SignatureFormat>('rfc9421() or xHeaders()', 'sign', 'parse'),
}

const rules = {
  ...signerRules,
  audience: option.string(AUDIENCE_PATTERN, 'a host, such as "billing.example.com"').required(),
  now: option.integer(0, Number.MAX_SAFE_INTEGER),
  nonce: option.custom<boolean | string>('true, false, or 1 to 128 visible ASCII characters', (value) =>
    typeof value === 'boolean' || (typeof value === 'string' && NONCE_PATTERN.test(value)) ? value : undefined,
  ),
}

/**
 * Signs one request and returns the header fields to add. Synchronous; changes nothing that it is given.
 *
 * @throws {OptionError} for a wrong option, a secret shorter than 32 bytes, and a header field that HTTP does not allow.
 * @example
 * const headers = sign({ method: 'POST', url, headers: { 'content-type': 'application/json' }, body }, { caller, version, secret, audience })
 */
export function sign(request: SignableRequest, options: SignOptions): Record<string, string> {
  const resolved = resolveOptions('sign', options, rules)
  const { caller, version, audience, format = rfc9421(), now = Date.now(), nonce } = resolved
  const key = secretKey('sign', 'secret', resolved.secret)
  if (typeof request?.method !== 'string' || !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(request.method)) {
    throw new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', 'method', 'sign: "method" must be an HTTP method')
  }
  const headers = lowerCased(memberOf(request, 'headers') ?? {})
  return format.sign({
    method: request.method,
    target: targetOf(request.url),
    headers,
    ...bodyDigest(memberOf(request, 'body'), headers.get('content-digest')),
    caller,
    version,
    audience: audience.toLowerCase(),
    timestamp: Math.floor(now / 1000),
    nonce: nonce === true ? newNonce() : nonce || undefined,
    mac: (base) => createHmac('sha256', key).update(base, 'latin1').digest(),
  })
}

/** The digest of the bytes; without bytes the one that the headers declare, for a stream; else that of an empty body. */
function bodyDigest(
  body: Uint8Array | undefined,
  declared: string | undefined,
): { contentDigest: string; bodySha256: Uint8Array | undefined } {
  if (body === undefined && declared !== undefined) {
    const digests = parseContentDigest(declared)
    if (digests === undefined) {
      throw new OptionError(
        'ERR_COUNTERSIGN_OPTION_INVALID',
        'headers',
        'sign: "content-digest" must be one of sha-256 or sha-512 as in RFC 9530: sha-256=:<base64>:',
      )
    }
    return { contentDigest: declared, bodySha256: digests.find(({ algorithm }) => algorithm === 'sha256')?.value }
  }
  if (body !== undefined && !(body instanceof Uint8Array)) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'body',
      'sign: "body" must be the bytes that are sent, a Uint8Array',
    )
  }
  const bodySha256 = sha256(body ?? '')
  return { contentDigest: `sha-256=:${bodySha256.toString('base64')}:`, bodySha256 }
}

function lowerCased(headers: NonNullable<SignableRequest['headers']>): Map<string, string> {
  const pairs = Symbol.iterator in headers ? headers : Object.entries(headers)
  const map = new Map<string, string>()
  for (const [name, value] of pairs as Iterable<readonly [string, string | undefined]>) {
    if (value === undefined) continue
    if (!isField(name, value)) {
      throw new OptionError(
        'ERR_COUNTERSIGN_OPTION_INVALID',
        'headers',
        `sign: "headers" has a name or a value that no HTTP message can hold (RFC 9110 §5.5), in ${JSON.stringify(name)}: ` +
          'remove line ends, control characters and those beyond U+00FF',
      )
    }
    map.set(name.toLowerCase(), value)
  }
  return map
}
