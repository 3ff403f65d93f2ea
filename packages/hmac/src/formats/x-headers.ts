import { OptionError } from '@countersign/core'
import { type FieldValue, option, resolveOptions, sha256, valuesOfFields } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import {
  ambiguousPart,
  malformedPart,
  malformedTime,
  newNonce,
  type SignatureClaim,
  type SignatureFormat,
  type SignedTarget,
  type SigningInput,
  type UnreadableClaim,
} from './format.js'
import {
  isCaller,
  isOriginForm,
  NONCE_PATTERN,
  parseHex256,
  parseTimestamp,
  parseVersion,
  toHex,
  WINDOW_ALIASES,
  withoutWhitespaceAround,
} from './grammar.js'
import { assertNotWritten, requiredFieldsRule, requiredValue } from './required-fields.js'

/** Options of {@link xHeaders}. */
export interface XHeadersOptions {
  /** First part of the header names. Default `x-countersign`. */
  readonly prefix?: string | undefined
  /** Whether the query is signed. Default true. */
  readonly bindQuery?: boolean | undefined
  /** Whether the audience is signed. Default true. */
  readonly bindAudience?: boolean | undefined
  /**
   * Header fields that must be sent and are signed, such as `['idempotency-key']`: one more line each, in this order. Both
   * sides need the same list. Default none.
   */
  readonly requiredFields?: readonly string[] | undefined
  /**
   * What is accepted once. `'signature'` (default): each nonce, and where none is sent, each signature of a method other than
   * GET and HEAD; two equal requests within a second have one signature. `'nonce'`: each nonce, and a request without one is
   * refused; `sign` adds one.
   */
  readonly singleUse?: 'signature' | 'nonce' | undefined
  /**
   * Accepts a signature without a nonce as often as it comes until its window ends, whatever its method: anyone who sees
   * a request can repeat it. For signers that send equal requests within a second and cannot add a nonce. Default false.
   */
  readonly dangerouslyAllowReplay?: boolean | undefined
  /** Seconds that a signature may be old, inclusive. Default 300. */
  readonly windowBackSeconds?: number | undefined
  /** Seconds that a signature may lie ahead, inclusive. Default 300. */
  readonly windowAheadSeconds?: number | undefined
}

const rules = {
  prefix: option.string(/^[a-z][a-z0-9-]{0,31}$/, 'a header name prefix in lower case').default('x-countersign'),
  bindQuery: option.boolean().default(true),
  bindAudience: option.boolean().default(true),
  requiredFields: requiredFieldsRule().default([]),
  singleUse: option.oneOf('signature', 'nonce').default('signature'),
  dangerouslyAllowReplay: option.boolean().default(false),
  windowBackSeconds: option.seconds(1, 3600).default(300),
  windowAheadSeconds: option.seconds(0, 3600).default(300),
}

/** What of a request is signed, beside its body and the audience. */
interface SignedParts {
  readonly method: string
  readonly target: string
  readonly caller: string
  readonly timestamp: number
  /** The values of the required fields, in their order. */
  readonly fields: readonly (string | undefined)[]
  readonly nonce: string | undefined
}

/** What a field that is not repeated has. */
type OneLine = string | undefined

const EMPTY_SHA256 = sha256('')

/**
 * A signature in a few headers, simple enough for a shell script: `-Caller`, `-Timestamp` (unix seconds), `-Signature`
 * (64 lower-case hex digits) and optionally `-Key-Version` and `-Nonce`. Signed is, with `\n` between: the method, the raw
 * path with its query, the caller, the body's SHA-256 in hex, the timestamp, the audience, `field:<name>=<value>` for each of
 * `requiredFields`, and `nonce=` with the nonce when there is one.
 *
 * With a nonce every request is accepted once. Without one GET and HEAD are not held to single use, and of two equal requests
 * of another method within a second, which have one signature, the second is refused: see `singleUse`.
 *
 * @throws {OptionError} for a wrong option.
 */
export function xHeaders(options: XHeadersOptions = {}): SignatureFormat {
  const resolved = resolveOptions('xHeaders', options, rules, '', WINDOW_ALIASES)
  const { prefix, bindQuery, bindAudience, singleUse, dangerouslyAllowReplay, requiredFields } = resolved
  const { windowBackSeconds, windowAheadSeconds } = resolved
  if (dangerouslyAllowReplay && singleUse === 'nonce') {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'dangerouslyAllowReplay',
      `xHeaders: option "dangerouslyAllowReplay" contradicts singleUse: 'nonce': remove one of them`,
    )
  }
  const names = {
    caller: `${prefix}-caller`,
    timestamp: `${prefix}-timestamp`,
    signature: `${prefix}-signature`,
    version: `${prefix}-key-version`,
    nonce: `${prefix}-nonce`,
  }
  const reads = Object.values(names)
  assertNotWritten('xHeaders', requiredFields, reads)
  const fieldsToRead = [...reads, ...requiredFields]

  function canonical(
    { method, target, caller, timestamp, fields, nonce }: SignedParts,
    bodySha256: Uint8Array,
    audience: string,
  ): string {
    const signedTarget = bindQuery ? target : (target.split('?', 1)[0] as string)
    let text = `${method}\n${signedTarget}\n${caller}\n${toHex(bodySha256)}\n${timestamp}`
    if (bindAudience) text += `\n${audience}`
    // An audience has no "=", so no line can be taken for another; without these the text is that of older signers.
    for (let at = 0; at < fields.length; at += 1) text += `\nfield:${requiredFields[at]}=${fields[at]}`
    return nonce === undefined ? text : `${text}\nnonce=${nonce}`
  }

  /** Whatever is there of the signature's own fields commits the request to this format. */
  function isPresented(values: readonly FieldValue[]): boolean {
    for (let at = 0; at < reads.length; at += 1) if (values[at] !== undefined) return true
    return false
  }

  function parse(request: Request, targetOf: SignedTarget): SignatureClaim | UnreadableClaim | undefined {
    const values = valuesOfFields(request, fieldsToRead)
    if (!isPresented(values)) return undefined
    const repeated = values.findIndex((value) => typeof value === 'object')
    if (repeated !== -1) return ambiguousPart(fieldsToRead[repeated] as string)
    const [caller = '', timestampText = '', signatureText = '', versionText, nonce, ...more] = values as OneLine[]
    const timestamp = parseTimestamp(timestampText)
    const signature = parseHex256(signatureText)
    const version = versionText === undefined ? undefined : parseVersion(versionText)
    const fields = more.map(withoutWhitespaceAround)
    const { method } = request
    const target = targetOf(request)
    if (!isCaller(caller)) return malformedPart(names.caller)
    if (timestamp === undefined) return malformedTime(names.timestamp, timestampText)
    if (signature === undefined) return malformedPart(names.signature)
    if (versionText !== undefined && version === undefined) return malformedPart(names.version)
    const isNonce = nonce === undefined ? singleUse === 'signature' : NONCE_PATTERN.test(nonce)
    if (!isNonce) return malformedPart(names.nonce)
    const unsent = fields.indexOf(undefined)
    if (unsent !== -1) return malformedPart(requiredFields[unsent] as string)
    if (!isOriginForm(target)) return malformedPart('target')
    return {
      caller,
      version,
      timestamp,
      expires: undefined,
      signature,
      digests: undefined,
      isRepeatable: nonce === undefined && (dangerouslyAllowReplay || method === 'GET' || method === 'HEAD'),
      nonce,
      base: (audience, bodySha256 = EMPTY_SHA256) =>
        canonical({ method, target, caller, timestamp, fields, nonce }, bodySha256, audience),
    }
  }

  function sign(input: SigningInput): Record<string, string> {
    const { caller, timestamp, version, audience, bodySha256 } = input
    if (bodySha256 === undefined) {
      throw new OptionError(
        'ERR_COUNTERSIGN_OPTION_INVALID',
        'headers',
        'sign: xHeaders() needs the bytes of the body, or their sha-256 in "content-digest"',
      )
    }
    const nonce = input.nonce ?? (singleUse === 'nonce' ? newNonce() : undefined)
    const fields = requiredFields.map((name) => requiredValue(input.headers, name))
    const headers: Record<string, string> = {
      [names.caller]: caller,
      [names.timestamp]: String(timestamp),
      [names.signature]: input.mac(canonical({ ...input, fields, nonce }, bodySha256, audience)).toString('hex'),
    }
    if (version !== undefined) headers[names.version] = String(version)
    if (nonce !== undefined) headers[names.nonce] = nonce
    return headers
  }

  return {
    name: 'xHeaders',
    reads,
    requiredFields,
    bindsAudience: bindAudience,
    windowBackSeconds,
    windowAheadSeconds,
    acceptSignature: undefined,
    parse,
    sign,
  }
}
